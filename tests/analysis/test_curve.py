"""A curve is made of digests alone, whatever their order, and always the same bytes."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.curve import COLUMNS, EXTRA, Digest, curve, digest, read_csv, to_csv
from analysis.errors import TableError
from analysis.table import UNSETTLED, terminal


@pytest.fixture
def cells(single_server, fleet, cell):
    """Requests, devices and facts of three points in two replications, and of the device-only fleet."""
    made = []
    for replication in range(2):
        rng = np.random.default_rng(replication)
        for parameter, asked in ((0.5, 120), (0.1, 30)):
            requests = single_server(0.5, asked, rng)
            made.append(([requests], fleet(25, 2, rng, asked), cell("random", parameter, replication)))
        made.append(([single_server(1.5, 2000, rng)], fleet(25, 2, rng, 2000), cell("always", None, replication)))
        made.append(([requests.iloc[:0]], fleet(25, 2, rng), cell("never", None, replication, usd=0.0)))
    return made


def test_columns_are_the_promised_ones_in_their_order(cells):
    made = curve(digest(*cell) for cell in cells)
    assert tuple(made.columns[:20]) == COLUMNS
    assert tuple(made.columns[20:]) == EXTRA
    assert made["policy"].tolist() == ["always", "never", "random", "random"]
    assert made["parameter"].tolist()[2:] == [0.1, 0.5]
    assert (made["replications"] == 2).all()


def test_a_points_numbers_are_its_totals_over_all_replications(cells):
    made = curve(digest(*cell) for cell in cells).set_index(["policy", "parameter"]).loc[("random", 0.1)]
    requests, devices, facts = zip(*(cell for cell in cells if cell[2]["parameter"] == 0.1), strict=True)
    devices = pd.concat(devices)
    n = devices["interactions"].sum()
    assert made["interactions"] == n
    assert made["requests_per_interaction"] == pytest.approx(devices["requests"].sum() / n)
    assert made["ndcg_at_10"] == pytest.approx(devices["ndcg_at_10"].sum() / n)
    assert made["hr_at_10"] == pytest.approx(devices["hits_at_10"].sum() / n)
    assert made["usd_per_1000_interactions"] == pytest.approx(1000 * sum(f["usd"] for f in facts) / n)
    assert made["gpu_seconds_per_1000_interactions"] == pytest.approx(
        1000 * pd.concat(log for (log,) in requests)["gpu_s"].sum() / n
    )
    assert made["hr_at_10_low"] < made["hr_at_10"] < made["hr_at_10_high"]
    assert made["answered_share"] == 1
    percentiles = [1000 * np.percentile(log["answered_s"] - log["intended_s"], 95) for (log,) in requests]
    assert made["latency_p95_ms"] == pytest.approx(np.mean(percentiles))


def test_device_only_has_no_latency_and_an_overload_is_marked(cells):
    made = curve(digest(*cell) for cell in cells).set_index("policy")
    assert made.loc["never", ["latency_p50_ms", "answered_share"]].isna().all()
    assert made.loc["never", "requests_per_interaction"] == 0
    assert not made.loc["always", "settled"]
    assert made.loc["never", "settled"]
    assert made.loc["random", "settled"].all()


def test_the_same_cells_give_the_same_bytes_in_any_order_and_through_json_and_parquet(cells, tmp_path):
    digests = [digest(*cell) for cell in cells]
    kept = []
    for i, one in enumerate(reversed(digests)):
        one.users.to_parquet(tmp_path / f"{i}.parquet", index=False)
        summary = json.loads(json.dumps(one.summary, allow_nan=False))
        kept.append(Digest(summary, pd.read_parquet(tmp_path / f"{i}.parquet")))
    assert to_csv(curve(kept)) == to_csv(curve(digests))


def test_a_curve_survives_its_csv(cells, tmp_path):
    made = curve(digest(*cell) for cell in cells)
    (tmp_path / "curve.csv").write_text(to_csv(made))
    pd.testing.assert_frame_equal(read_csv(tmp_path / "curve.csv"), made, rtol=1e-9, check_dtype=False)


@pytest.mark.parametrize(
    ("text", "said"), [("", "cannot be read"), ("a,b\n1,2\n", "column 'policy' is missing"), (None, "cannot be read")]
)
def test_a_file_that_is_no_curve_is_named(text, said, tmp_path):
    path = tmp_path / "curve.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TableError, match=said) as caught:
        read_csv(path)
    assert str(path) in str(caught.value)


def test_replications_that_do_not_fit_are_refused(cells):
    digests = [digest(*cell) for cell in cells]
    with pytest.raises(TableError, match="comes twice"):
        curve([*digests, digests[0]])
    strange = Digest(digests[0].summary | {"replication": 5}, digests[0].users.iloc[1:])
    with pytest.raises(TableError, match="different users"):
        curve([*digests, strange])


def test_the_terminal_table_fits_and_says_what_did_not_settle(cells):
    made = curve(digest(*cell) for cell in cells)
    text = terminal(made)
    assert max(map(len, text.splitlines())) <= 100
    always = next(line for line in text.splitlines() if line.startswith("always"))
    assert always.endswith("*")
    assert UNSETTLED in text
    assert "nan" not in text
    assert UNSETTLED not in terminal(made[made["settled"]])
    wide = made.assign(
        policy="intellect-request",
        parameter=123456.789,
        latency_p95_ms=999_999.0,
        gpu_seconds_per_1000_interactions=123.456,
        utilisation=1.0,
    )
    assert max(map(len, terminal(wide).splitlines())) <= 100
