"""The distribution of ages says the same as the device table, which was counted interaction by interaction."""

import numpy as np
import pandas as pd
import pytest

from analysis.report.staleness import COLUMNS, age_shares, ages


def test_ages_of_a_stream_worked_by_hand():
    # Seven steps: nothing held at 0, the list of cut 0 from step 1 on, that of cut 3 from step 5 on.
    log = pd.DataFrame([(0, 0, 1), (0, 3, 5), (0, 6, -1)], columns=COLUMNS)
    assert ages(log, np.array([7])).tolist() == [0, 1, 2, 2, 1]
    assert ages(log.iloc[:0], np.array([7])).tolist() == []


def test_ages_add_up_to_the_device_table(results):
    for cell in results.cells:
        devices = cell.table("devices", ["interactions", "held", "staleness"])
        found = ages(cell.table("requests", COLUMNS), devices["interactions"].to_numpy())
        assert found.sum() == devices["held"].sum()
        assert (found * np.arange(len(found))).sum() == devices["staleness"].sum()
        assert (found >= 0).all()


def test_shares_rise_to_nearly_all(results):
    cells = [cell for cell in results.cells if cell.facts["replication"] == 0 and cell.digest.point[0] != "never"]
    chart = age_shares(cells, {"periodic"})
    last = []
    for series in chart.series:
        shares = [point.place["share"] for point in series.points]
        assert (np.diff(shares) >= 0).all()
        last.append(shares[-1])
    assert min(last) >= 0.99
    assert max(last) == pytest.approx(1)
    assert age_shares([cell for cell in results.cells if cell.digest.point[0] == "never"], set()) is None
