"""Devices come late, leave for good and stop at the horizon, and what they leave behind is on the books."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from worlds import outcomes, policy, world

from simulator.clock import SECOND
from simulator.departures import departures
from simulator.pace import Pace
from simulator.rehearse import rehearse
from simulator.run import Result, run
from simulator.world import World


def fleet(steps: int = 20, network: dict[str, Any] | None = None, **keys: Any) -> World:
    pace = {"kind": "drawn", "think_time_s": 10, "think_time_sigma": 0, "session_length": 1e9, "start_spread_s": 100}
    cloud = {"service": {"milliseconds": {1: 0}}, "batching": {"max_size": 1}}
    return world([steps], pace=pace, fleet={"devices": 4000, **keys}, network=network, cloud=cloud)


def result(w: World) -> Result:
    p = policy("always")
    return run(w, p, 1, rehearse(w, [p], 1, outcomes(w)))


CHURN = {"kind": "exponential", "lifetime_s": 50}


def test_lifetimes_are_exponential_from_the_first_interaction() -> None:
    w = fleet(churn=CHURN)
    starts = Pace(w, 1).starts
    found = departures(w, 1, starts)
    assert found is not None
    assert stats.kstest((np.array(found.stops) - starts) / SECOND, stats.expon(scale=50).cdf).pvalue > 0.001
    assert all(found.leaves)


def test_some_join_late() -> None:
    w, late = fleet(), fleet(churn={**CHURN, "late_share": 0.3, "late_s": 1000})
    delay = (Pace(late, 1).starts - Pace(w, 1).starts) / SECOND
    assert stats.binomtest(int((delay > 0).sum()), len(delay), 0.3).pvalue > 0.001
    assert stats.kstest(delay[delay > 0], stats.uniform(0, 1000).cdf).pvalue > 0.001


def test_who_stays_lives_through_everything() -> None:
    w = fleet()
    assert departures(w, 1, Pace(w, 1).starts) is None
    assert (result(w).devices["interactions"] == 20).all()


@pytest.mark.parametrize("keys", [{"churn": CHURN}, {"horizon_s": 120}, {"churn": CHURN, "horizon_s": 120}])
def test_a_device_lives_through_the_interactions_before_it_stops(keys: dict[str, Any]) -> None:
    w = fleet(**keys)
    pace = Pace(w, 1)
    found = departures(w, 1, pace.starts)
    assert found is not None
    expected = []
    for device in range(w.devices):
        times, first, end = pace.clock(device)
        expected.append(sum(time < found.stops[device] for time in times[first:end]))
    assert result(w).devices["interactions"].tolist() == expected


def test_what_a_leaving_user_waits_for_is_abandoned_and_the_horizon_leaves_it_in_flight() -> None:
    slow = {"rtt_ms": 8000, "rtt_sigma": 0, "uplink_mbps": None, "downlink_mbps": None}
    gone, cut = result(fleet(network=slow, churn=CHURN)), result(fleet(network=slow, horizon_s=120))
    assert gone.ledger.abandoned > 0
    assert gone.ledger.in_flight == cut.ledger.abandoned == 0
    in_flight = cut.requests[cut.requests["status"] == "in_flight"]
    assert len(in_flight) == cut.ledger.in_flight > 0
    assert (in_flight["sent_s"] >= 112).all()
    assert cut.requests["answered_s"].max() <= 120
    # A request every 10 s, 20 of them, each waited for during 8: the share of lifetimes that end in such a wait.
    caught = sum(np.exp(-10 * k / 50) - np.exp(-(10 * k + 8) / 50) for k in range(20))
    assert stats.binomtest(gone.ledger.abandoned, 4000, caught).pvalue > 0.001


def test_a_user_who_leaves_while_waiting_never_sees_that_step() -> None:
    slow = {"rtt_ms": 8000, "rtt_sigma": 0, "uplink_mbps": None, "downlink_mbps": None}
    waiting = {"kind": "blocking", "deadline_ms": 9000}
    r = result(fleet(network=slow, churn=CHURN, waiting=waiting))
    asked = r.requests.groupby("device")["step"].max().reindex(r.devices["device"], fill_value=-1)
    gone = r.requests[r.requests["status"] == "abandoned"]
    assert (r.devices["interactions"].to_numpy()[gone["device"]] == gone["step"]).all()
    assert (r.devices["interactions"] <= asked.to_numpy() + 1).all()


def test_a_horizon_before_the_first_start_leaves_nothing() -> None:
    r = result(fleet(horizon_s=1e-9))
    assert r.ledger.issued == r.devices["interactions"].sum() == 0
