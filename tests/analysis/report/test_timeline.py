"""What is binned is neither lost nor invented: requests add up, and so does the time that they waited."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.report.curves import representatives
from analysis.report.leaderboard import boards, preferred
from analysis.report.timeline import BINS, FEWEST, LOG, SERIES, over_time, timeline

NO_LOG = pd.DataFrame({"intended_s": [], "answered_s": [], "status": []}, dtype=float)


windows = st.tuples(st.floats(0.1, 30), st.integers(0, 50), st.floats(0, 9), st.floats(0, 1))


@given(st.lists(windows, min_size=1, max_size=12), st.integers(1, 9))
def test_bins_share_what_is_in_the_windows(rows, bins):
    """What waited, was lived through and was gained adds up, wherever the edges lie."""
    width, lived, waiting, ndcg = map(np.array, zip(*rows, strict=True))
    until = np.cumsum(width)
    accuracy = np.where(lived > 0, ndcg, np.nan)
    columns = (until - width, until, lived, waiting, accuracy)
    found = timeline(NO_LOG, pd.DataFrame(dict(zip(SERIES, columns, strict=True))), float(until[-1]), bins)
    assert found.waiting.sum() * until[-1] / bins == pytest.approx(waiting @ width)
    known = ~np.isnan(found.ndcg_at_10)
    assert (found.ndcg_at_10[known] <= ndcg.max() + 1e-9).all()
    if bins == 1 and lived.sum() >= FEWEST:
        assert found.ndcg_at_10[0] == pytest.approx(lived @ ndcg / lived.sum())


def test_windows_that_are_bins_stay_as_they_are():
    edges = np.arange(8.0)
    series = pd.DataFrame(dict(zip(SERIES, (edges[:-1], edges[1:], 30, np.arange(7), edges[:-1] / 10), strict=True)))
    found = timeline(NO_LOG, series, 7.0, 7)
    assert found.waiting == pytest.approx(np.arange(7))
    assert found.ndcg_at_10 == pytest.approx(edges[:-1] / 10)


def test_percentiles_are_those_of_the_answers_in_the_bin(results):
    cell = next(cell for cell in results.cells if cell.digest.point[0] == "always")
    log = cell.table("requests", LOG)
    found = timeline(log, cell.table("series", SERIES), float(cell.facts["duration_s"]), 7)
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
    log, series = cell.table("requests", [*LOG, "arrived_s", "started_s"]), cell.table("series", SERIES)
    duration = float(series["until_s"].iloc[-1])
    served = log[log["started_s"].notna()]
    rate, wait = len(served) / duration, (served["started_s"] - served["arrived_s"]).mean()
    assert timeline(log, series, duration, 60).waiting.mean() == pytest.approx(rate * wait)


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
