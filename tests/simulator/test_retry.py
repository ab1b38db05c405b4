"""What a device does about failures: as often, as late and as seldom as its scenario says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from worlds import outcomes, policy, world

from simulator.breaker import Breaker
from simulator.clock import SECOND
from simulator.rehearse import rehearse
from simulator.run import Result, run
from simulator.world import World

DARK = {"outages": [{"kind": "scheduled", "from_s": 0, "until_s": 1e8}]}
"""Nothing arrives, ever."""
QUICK = {"rtt_ms": 0, "uplink_mbps": None, "downlink_mbps": None}


def result(w: World, kind: str = "always", **keys: Any) -> Result:
    p = policy(kind, **keys)
    return run(w, p, 1, rehearse(w, [p], 1, outcomes(w)))


def fleet(network: dict[str, Any], steps: int = 30, devices: int = 50, **keys: Any) -> World:
    pace = {"kind": "drawn", "think_time_s": 10, "think_time_sigma": 0, "session_length": 1e9}
    cloud = {"service": {"milliseconds": {1: 1}}, "batching": {"max_size": 1}}
    return world([steps], pace=pace, fleet={"devices": devices, **keys}, network=network, cloud=cloud)


def backoff(**keys: Any) -> dict[str, Any]:
    return {"retry": {"kind": "backoff", **keys}, "timeout_s": 0.5}


def test_attempts_come_after_full_jitter_within_a_limit_that_doubles_to_its_longest() -> None:
    r = result(fleet(DARK, **backoff(attempts=5, first_s=0.1, longest_s=0.3))).requests
    assert (r["status"] == "lost").all()
    by_ask = r.pivot_table(index=["device", "step"], columns="attempt", values="sent_s")
    assert by_ask.columns.tolist() == [1, 2, 3, 4, 5]
    waits = by_ask.diff(axis=1).iloc[:, 1:] - 0.5
    for attempt, limit in ((2, 0.1), (3, 0.2), (4, 0.3), (5, 0.3)):
        assert stats.kstest(waits[attempt], stats.uniform(0, limit).cdf).pvalue > 0.001
    assert r.groupby(["device", "step"])["intended_s"].nunique().eq(1).all(), "all are meant for one moment"


def test_the_device_table_counts_requests_and_attempts() -> None:
    r = result(fleet(DARK, **backoff(attempts=3)))
    assert (r.devices["attempts"] == 3 * r.devices["requests"]).all()
    assert r.devices["requests"].sum() == (r.requests["attempt"] == 1).sum()
    assert r.ledger.issued == r.ledger.lost == len(r.requests)


@pytest.mark.parametrize("most", [2, 5, 10, 100])
def test_a_budget_stops_the_retries_of_a_device_that_only_fails(most: float) -> None:
    """It may retry while more than half of the tokens are left; every fourth failure is that of a last attempt."""
    budget = {"kind": "tokens", "most": most, "per_answer": 0.1}
    r = result(fleet(DARK, steps=60, **backoff(attempts=4, budget=budget)))
    failures = np.ceil(most / 2) - 1
    assert (r.devices["attempts"] - r.devices["requests"] == failures - failures // 4).all()


def test_a_budget_gives_back_what_answers_earn() -> None:
    budget = {"kind": "tokens", "most": 4, "per_answer": 0.1}
    r = result(fleet({**QUICK, "loss": 0.02}, steps=300, **backoff(attempts=4, budget=budget)))
    retries = r.devices["attempts"] - r.devices["requests"]
    answers = r.requests[r.requests["status"] == "answered"].groupby("device").size()
    assert (retries <= 2 + 0.1 * answers).all()
    assert retries.mean() > 8, "a full bucket never allows more than 1 in a row of failures, but fills again"


def test_without_failures_nothing_is_made_again() -> None:
    plain, patient = (result(fleet(QUICK, **keys)) for keys in ({"timeout_s": 0.5}, backoff(attempts=4)))
    pd.testing.assert_frame_equal(plain.requests, patient.requests)


def test_a_breaker_opens_after_failures_in_a_row_and_probes() -> None:
    keys = {"breaker": {"kind": "consecutive", "failures": 3, "open_s": 25}, "timeout_s": 0.5}
    r = result(fleet(DARK, steps=40, **keys))
    sent = r.requests.groupby("device")["sent_s"].apply(list)
    for times in sent:
        assert np.diff(times[:3]).max() == pytest.approx(10), "closed: asks at every interaction"
        assert np.diff(times[2:]) == pytest.approx(30), "open for 25 s: the third interaction after it"
    assert (r.devices["requests"] + r.devices["held_back"] == 40).all()


def test_a_breaker_closes_once_a_probe_is_answered() -> None:
    keys = {"breaker": {"kind": "consecutive", "failures": 2, "open_s": 25}, "timeout_s": 0.5}
    gone = {"outages": [{"kind": "scheduled", "from_s": 0, "until_s": 14_500}], **QUICK}
    r = result(fleet(gone, steps=200, **keys)).requests
    back = r[r["sent_s"] > 14_500]
    assert (back["status"] == "answered").all()
    first = back.groupby("device")["sent_s"].min()
    assert first.max() <= 14_500 + 40
    assert back.groupby("device")["sent_s"].diff().dropna().max() == pytest.approx(10)


def test_a_breaker_is_each_devices_own_and_its_probe_goes_alone() -> None:
    breaker = Breaker(2, 10 * SECOND)
    for now in (0, 1):
        assert breaker.admits(7, now)
        breaker.asked(7)
        breaker.failed(7, now)
    assert not breaker.admits(7, 10 * SECOND)
    assert breaker.admits(8, 10 * SECOND)
    assert breaker.admits(7, 10 * SECOND + 1)
    breaker.asked(7)
    assert not breaker.admits(7, 11 * SECOND), "the probe is on its way"
    breaker.failed(7, 12 * SECOND)
    assert not breaker.admits(7, 22 * SECOND - 1)
    assert breaker.admits(7, 22 * SECOND)
    breaker.asked(7)
    breaker.succeeded(7)
    breaker.failed(7, 23 * SECOND)
    assert breaker.admits(7, 23 * SECOND), "one failure is not two in a row"


SLOW = {**QUICK, "rtt_ms": 1000, "rtt_sigma": 0}


def test_late_answers_are_used_only_where_the_scenario_says_so() -> None:
    discard, use = (result(fleet(SLOW, timeout_s=0.3, late_answers=rule)) for rule in ("discard", "use"))
    assert (discard.requests["status"] == "timed_out").all()
    assert (use.requests["status"] == "timed_out").all()
    assert discard.requests["answered_s"].isna().all()
    assert (discard.devices["held"] == 0).all()
    assert (use.requests["answered_s"] - use.requests["sent_s"]).to_numpy() == pytest.approx(1.001)
    assert (use.devices["held"] == use.devices["interactions"] - 1).all()


def test_a_late_answer_ends_the_request_that_is_being_made_again() -> None:
    keys = backoff(attempts=4, first_s=0, longest_s=0)
    r = result(fleet(SLOW, late_answers="use", **keys)).requests
    by_ask = r.pivot_table(index=["device", "step"], columns="attempt", values="status", aggfunc="first")
    assert by_ask.columns.tolist() == [1, 2, 3]
    assert (by_ask == ["timed_out", "timed_out", "abandoned"]).all(axis=None), "the first answer comes at 1.001 s"
    applied = r[r["applied_step"] >= 0]
    assert (applied["attempt"] == 1).all()


def test_a_newer_request_takes_the_place_of_the_old_one() -> None:
    slow = {**SLOW, "rtt_ms": 25_000}
    single, replace = (result(fleet(slow, timeout_s=60, flight=rule)) for rule in ("single", "replace"))
    assert (single.requests["status"] == "answered").all()
    assert (single.devices["requests"] == 10).all(), "one answer comes every third interaction"
    last = replace.requests["step"] == 29
    assert (replace.requests["status"] == np.where(last, "answered", "abandoned")).all()
    assert (replace.devices["held"] == 0).all(), "who asks anew before any answer comes never gets one"
    both = result(fleet(slow, timeout_s=60, flight="replace", late_answers="use"))
    assert (both.devices["held"] == 27).all(), "unless answers to what was replaced are used"
