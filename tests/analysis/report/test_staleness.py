"""What is drawn of ages says the same as the tables of the cells, whatever is put together."""

import numpy as np
import pandas as pd
import pytest

from analysis.curve import METRICS
from analysis.report.staleness import FEWEST, age_shares, ages, by_age, grouped


@pytest.fixture(scope="module")
def cells(results):
    return [cell for cell in results.cells if cell.facts["replication"] == 0 and cell.digest.point[0] != "never"]


def test_a_points_ages_are_those_of_all_its_replications(results, cells):
    found = ages(results, cells)
    row = results.curve[results.curve["policy"] == "periodic"].iloc[0]
    table = found["periodic", row["parameter"]]
    assert (table["age"] >= 0).all()
    assert table["interactions"].sum() / row["interactions"] == pytest.approx(row["held_share"])
    assert (table["age"] * table["interactions"]).sum() / table["interactions"].sum() == pytest.approx(
        row["mean_staleness"]
    )
    assert not ages(results, [cell for cell in results.cells if cell.digest.point[0] == "never"])


@pytest.mark.parametrize("seed", range(5))
def test_ages_put_together_keep_all_sums_and_are_enough(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 200))
    counts = rng.integers(1, 5 if seed == 0 else 2000, n)
    sums = {column: rng.uniform(0, 1, n) * counts for column in METRICS.values()}
    table = pd.DataFrame({"age": np.sort(rng.choice(500, n, replace=False)), "interactions": counts, **sums})
    found = grouped(table)
    assert found["interactions"].sum() == counts.sum()
    assert (found["age"] * found["interactions"]).sum() == pytest.approx((table["age"] * counts).sum())
    for metric, column in METRICS.items():
        assert (found[metric] * found["interactions"]).sum() == pytest.approx(table[column].sum())
    assert (found["from"] <= found["age"]).all()
    assert (found["age"] <= found["until"]).all()
    assert (found["until"].to_numpy()[:-1] < found["from"].to_numpy()[1:]).all()
    assert len(found) == 1 or found["interactions"].min() >= FEWEST


def test_a_list_that_fades_is_seen_to_fade(results, cells):
    """In the made-up runs half the gain of a list is lost after 3 to 15 clicks."""
    chart = by_age(results, cells, {"random"})
    line = next(series for series in chart.series if series.name == "random 0.03")
    assert line.shown
    values = [point.place["ndcg_at_10"] for point in line.points]
    assert len(values) > 1
    assert values[0] > 1.5 * values[-1]


def test_shares_rise_to_nearly_all(results, cells):
    chart = age_shares(results, cells, {"periodic"})
    last = []
    for series in chart.series:
        shares = [point.place["share"] for point in series.points]
        assert (np.diff(shares) >= 0).all()
        last.append(shares[-1])
    assert min(last) >= 0.99
    assert max(last) == pytest.approx(1)
    never = [cell for cell in results.cells if cell.digest.point[0] == "never"]
    assert age_shares(results, never, set()) is None
    assert by_age(results, never, set()) is None
