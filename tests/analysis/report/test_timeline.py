"""What is binned is neither lost nor invented: requests add up, and so does the time that they waited."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.report.curves import representatives
from analysis.report.leaderboard import boards, preferred
from analysis.report.timeline import BINS, COLUMNS, FEWEST, over_time, timeline


def log_of(rows):
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(COLUMNS[:-1], float))


waits = st.tuples(
    st.floats(0, 90), st.floats(0, 30), st.sampled_from(["answered", "rejected", "timed_out", "in_flight"])
)


@given(st.lists(waits, max_size=12), st.integers(1, 9))
def test_the_mean_queue_is_the_time_waited_over_the_width_of_the_bin(rows, bins):
    made, expected = [], np.zeros(bins)
    edges = np.linspace(0, 100, bins + 1)
    for arrived, waited, status in rows:
        begins = status in ("answered", "timed_out")
        started = min(arrived + waited, 100.0)
        left = arrived if status == "rejected" else np.nan
        made.append((arrived, arrived, started if begins else np.nan, left, started if begins else np.nan, status))
        until = {"rejected": arrived, "in_flight": 100.0}.get(status, started)
        overlap = np.minimum(edges[1:], until) - np.maximum(edges[:-1], arrived)
        expected += np.maximum(overlap, 0)
    found = timeline(log_of(made), 100.0, bins)
    assert found.waiting == pytest.approx(expected / (100 / bins), abs=1e-9)
    assert found.requests.sum() == len(rows)


def test_percentiles_are_those_of_the_answers_in_the_bin(results):
    cell = next(cell for cell in results.cells if cell.digest.point[0] == "always")
    log = cell.table("requests", COLUMNS)
    found = timeline(log, float(cell.facts["duration_s"]), 7)
    answered = log[log["status"] == "answered"]
    for i in range(7):
        inside = answered["intended_s"].between(found.edges_s[i], found.edges_s[i + 1], inclusive="left")
        latency = 1000 * (answered["answered_s"] - answered["intended_s"])[inside]
        if len(latency) >= FEWEST:
            assert found.p95_ms[i] == pytest.approx(np.percentile(latency, 95))
            assert found.p50_ms[i] == pytest.approx(np.percentile(latency, 50))
        else:
            assert np.isnan(found.p95_ms[i])


def test_littles_law_holds_of_the_whole_run(results):
    """Mean number waiting = arrival rate x mean wait (Little, Operations Research 9, 1961)."""
    cell = next(cell for cell in results.cells if cell.digest.point[0] == "always")
    log, duration = cell.table("requests", COLUMNS), float(cell.facts["duration_s"])
    served = log[log["started_s"].notna()]
    rate, wait = len(served) / duration, (served["started_s"] - served["arrived_s"]).mean()
    assert timeline(log, duration, 60).waiting.mean() == pytest.approx(rate * wait)


def test_a_line_for_each_policy_at_its_point_nearest_to_the_cost(results):
    board = preferred(boards(results.whole_points))
    cells = representatives(results, board)
    assert [cell.digest.point for cell in cells] == [
        ("always", None),
        ("learned", 0.3),
        ("periodic", 30),
        ("random", 0.03),
    ]
    chart = over_time(cells, {"always", "periodic"})
    assert [series.name for series in chart.series if series.shown] == ["always", "periodic 30"]
    assert all(len(series.points) == BINS[0] for series in chart.series)
    assert over_time([], set()) is None
