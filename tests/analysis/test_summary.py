"""Every number of a cell is the ratio that its name says, over the tables that it was made from."""

import numpy as np
import pandas as pd
import pytest

from analysis.errors import TableError
from analysis.summary import STATUSES, latency, summarise


@pytest.fixture
def tables(single_server, fleet):
    requests = single_server(0.5, 60, np.random.default_rng(1))
    requests["sent_s"] = requests["arrived_s"] - 0.5
    requests["intended_s"] = requests["arrived_s"] - 2.0
    return requests, fleet(20, 2, np.random.default_rng(2), asked=60)


def test_ratios_are_totals_over_interactions(tables, cell):
    requests, devices = tables
    summary = summarise([requests], devices, cell())
    n = devices["interactions"].sum()
    assert summary["interactions"] == n
    assert summary["requests_per_interaction"] * n == pytest.approx(60)
    assert summary["hr_at_10"] * n == pytest.approx(devices["hits_at_10"].sum())
    assert summary["ndcg_at_10"] * n == pytest.approx(devices["ndcg_at_10"].sum())
    assert summary["mrr"] * n == pytest.approx(devices["reciprocal_rank"].sum())
    assert summary["uplink_bytes_per_interaction"] == pytest.approx(10)
    assert summary["downlink_bytes_per_interaction"] == pytest.approx(30)
    assert summary["gpu_seconds_per_1000_interactions"] * n / 1000 == pytest.approx(requests["gpu_s"].sum())
    assert summary["usd_per_1000_interactions"] * n / 1000 == pytest.approx(0.5)
    assert summary["mean_staleness"] == pytest.approx(2)
    assert summary["utilisation"] == pytest.approx(400 / (2 * 1000))


def test_every_request_has_one_status(tables, cell):
    requests, devices = tables
    requests.loc[:5, "status"] = ["rejected", "timed_out", "lost", "abandoned", "in_flight", "lost"]
    summary = summarise([requests], devices, cell())
    assert sum(summary[status] for status in STATUSES) == summary["requests"] == 60
    assert summary["lost"] == 2


def test_latency_runs_from_the_intention_over_answered_requests(tables, cell):
    requests, devices = tables
    requests.loc[requests.index[:30], "status"] = "timed_out"
    latency = 1000 * (requests["answered_s"] - requests["intended_s"])[30:]
    summary = summarise([requests], devices, cell())
    assert summary["latency_p95_ms"] == pytest.approx(np.percentile(latency, 95))
    assert summary["latency_p50_ms"] >= 2000


def test_a_fleet_that_never_asks_has_no_latency_and_no_staleness(tables, cell, fleet):
    devices = fleet(20, 2, np.random.default_rng(2))
    devices[["staleness", "held"]] = 0
    summary = summarise([tables[0].iloc[:0]], devices, cell("never", None, busy_s=0.0))
    assert summary["parameter"] is None
    assert summary["requests_per_interaction"] == 0
    assert np.isnan([summary["latency_p50_ms"], summary["mean_staleness"]]).all()
    assert summary["settled"] is True


def test_tables_that_disagree_are_refused(tables, cell):
    requests, devices = tables
    with pytest.raises(TableError, match="60 requests, but the request log holds 59"):
        summarise([requests.iloc[1:]], devices, cell())
    with pytest.raises(TableError, match="column 'held' is missing"):
        summarise([requests], devices.drop(columns="held"), cell())
    with pytest.raises(TableError, match="no interaction"):
        summarise([requests], devices.iloc[:0], cell())
    with pytest.raises(TableError, match="'vanished' is none of"):
        summarise([requests.assign(status="vanished")], devices, cell())


def test_a_request_made_again_counts_once_and_its_attempts_apart(tables, cell):
    requests, devices = tables
    before = summarise([requests], devices, cell())
    again = requests.iloc[:7].assign(attempt=2, status="rejected")
    found = summarise([pd.concat([requests, again], ignore_index=True)], devices, cell())
    assert (before["requests"], before["attempts"]) == (60, 60)
    assert (found["requests"], found["attempts"]) == (60, 67)
    assert found["requests_per_interaction"] == before["requests_per_interaction"]
    assert found["rejected"] == before["rejected"] + 7


def test_what_is_intended_in_the_warm_up_counts_in_no_latency():
    """A beginning ten times as slow: declared or found, it goes; where nothing is declared it stays."""
    intended = np.arange(400.0)
    slow = np.where(intended < 100, 10.0, 1.0) + np.random.default_rng(0).uniform(0, 0.1, 400)
    log = pd.DataFrame({"status": "answered", "intended_s": intended, "answered_s": intended + slow})
    shuffled = log.sample(frac=1, random_state=1)
    assert latency([shuffled], 0.0)["latency_p95_ms"] > 9000
    assert latency([shuffled], 100.0)["latency_p99_ms"] < 1200
    assert latency([shuffled], "mser5") == latency([log], 100.0)
    assert latency([log[:20]], "mser5") == latency([log[:20]], 0.0)
    assert np.isnan(latency([log], 1000.0)["latency_p50_ms"])
