"""Two policies in one world meet the same world, with every feature on: what a device does or asks shifts nothing that
another device, or itself at another time, meets.

Each pair of runs is held together after its end: the pace of all devices, their departures, classes and regions, the
weather of their networks, the bad times of replicas, and the way of every message that either run has sent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from troubles import rough_worlds
from worlds import POLICIES, outcomes, policy, world

from scenarios.schema.capacity import FixedReplicas
from scenarios.schema.network import Network
from scenarios.schema.persistence import BackoffRetry
from simulator.clock import NEVER, SECOND
from simulator.cloud.replicas import DOWN
from simulator.policies.base import Policy
from simulator.rehearse import rehearse
from simulator.request import Request
from simulator.run import Result, run
from simulator.stage import Stage
from simulator.world import World

OWNER: Any = None
MOMENTS = [round(s * SECOND) for s in (*np.linspace(0, 3, 16), 10, 100, 4000)]
some = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def played(w: World, p: Policy, seed: int) -> tuple[Result, Stage]:
    """A run, and the stage on which it was played."""
    stages: list[Stage] = []
    set_up = Stage.of

    def noted(*arguments: Any) -> Stage:
        stages.append(set_up(*arguments))
        return stages[-1]

    with patch.object(Stage, "of", noted):
        result = run(w, p, seed, rehearse(w, [p], seed, outcomes(w)))
    (stage,) = stages
    return result, stage


def ways(stage: Stage, device: int, step: int, attempt: int, up: int, down: int) -> tuple[int, ...]:
    """How long a message of no bytes, and its reply, take, or NEVER; and how often each is transmitted."""
    request = Request(0, OWNER, device, step, up, up, attempt)
    there, back = stage.network.up(request, 0), stage.network.down(request, 0, down)
    stage.network.up(request, 1)
    stage.network.down(request, 1, down)
    took = [NEVER if arrival == NEVER else arrival - sent for arrival, sent in ((there, up), (back, down))]
    return (*took, request.uplink, request.downlink)


def in_ticks(times: pd.Series[float]) -> list[int]:
    return (times * SECOND).round().astype(np.int64).tolist()


@given(rough_worlds(), POLICIES, POLICIES, st.integers(0, 3))
@some
def test_devices_live_at_the_same_times_and_leave_at_the_same(w: World, one: Policy, other: Policy, seed: int) -> None:
    (a, left), (b, right) = (played(w, p, seed) for p in (one, other))
    assert left.departures == right.departures
    for device in range(w.devices):
        mine, its = ([*times[first:end]] for times, first, end in (s.pace.clock(device) for s in (left, right)))
        assert mine == its
    assert a.devices["access"].equals(b.devices["access"])
    assert a.devices["region"].equals(b.devices["region"])
    logs = [r.requests[r.requests["attempt"] == 1].set_index(["device", "step"])["intended_s"] for r in (a, b)]
    pd.testing.assert_series_equal(*logs[0].align(logs[1], join="inner"), check_exact=True)


def test_a_message_meets_the_same_whoever_sends_it() -> None:
    """Every message of either run, sent again on the other one's stage; and messages that nobody sent."""
    shared = []

    @given(rough_worlds(), POLICIES, POLICIES, st.integers(0, 3))
    @some
    def look(w: World, one: Policy, other: Policy, seed: int) -> None:
        w = replace(w, network=without_bandwidth(w.network))  # how much a request carries is the policy's doing
        (a, left), (b, right) = (played(w, p, seed) for p in (one, other))
        for log in (a.requests, b.requests):
            back = log["finished_s"].fillna(log["left_s"]).fillna(log["sent_s"])
            columns = (log["device"], log["step"], log["attempt"], in_ticks(log["sent_s"]), in_ticks(back))
            for message in zip(*columns, strict=True):
                assert ways(left, *message) == ways(right, *message)
        for device in range(w.devices):
            for moment in MOMENTS:
                assert ways(left, device, 3, 1, moment, moment) == ways(right, device, 3, 1, moment, moment)
        logs = [r.requests.set_index(["device", "step", "attempt", "sent_s"])["arrived_s"] for r in (a, b)]
        mine, its = logs[0].align(logs[1], join="inner")
        shared.append(len(mine))
        pd.testing.assert_series_equal(mine, its, check_exact=True)

    look()
    assert any(shared)


def without_bandwidth(network: Network) -> Network:
    keys = network.model_dump()
    for each in (keys, *keys["mix"]):
        each["uplink_mbps"] = None
    return Network.model_validate(keys)


def test_what_failed_alike_is_made_again_at_the_same_time() -> None:
    shared = []

    @given(rough_worlds(), POLICIES, POLICIES, st.integers(0, 3))
    @some
    def look(w: World, one: Policy, other: Policy, seed: int) -> None:
        again, lossy = BackoffRetry(attempts=3), w.network.model_copy(update={"loss": 0.5})
        w = replace(w, fleet=w.fleet.model_copy(update={"retry": again}), network=lossy)
        mine, its = (retried(played(w, p, seed)[0].requests) for p in (one, other))
        mine, its = mine.align(its, join="inner")
        shared.append(len(mine))
        pd.testing.assert_series_equal(mine, its, check_exact=True)

    look()
    assert any(shared)


def retried(log: pd.DataFrame) -> pd.Series[float]:
    """When the next attempt was sent, by (device, step, attempt, when it was sent) of one that came to nothing; that is
    noticed at its time-out."""
    failed, attempt = log[log["status"].isin(["timed_out", "lost"])], ["device", "step", "attempt"]
    again = log.assign(attempt=log["attempt"] - 1).set_index(attempt)["sent_s"].rename("again_s")
    return failed.join(again, on=attempt).dropna(subset="again_s").set_index([*attempt, "sent_s"])["again_s"]


@given(rough_worlds(), POLICIES, POLICIES, st.integers(0, 3))
@some
def test_replicas_crash_and_slow_down_at_the_same_times(w: World, one: Policy, other: Policy, seed: int) -> None:
    assume(w.cloud.crashes or w.cloud.brownouts)
    (a, left), (b, right) = (played(w, p, seed) for p in (one, other))
    for name in ("_crashes", "_brownouts"):
        mine, its = (getattr(stage.exchange.cloud, name) for stage in (left, right))
        for replica in range(w.cloud.most_replicas):
            for moment in MOMENTS:
                assert [*mine.upon(replica, moment)] == [*its.upon(replica, moment)]
                assert mine.next_change(replica, moment) == its.next_change(replica, moment)
    if isinstance(w.cloud.scaling, FixedReplicas) and len(a.requests) and len(b.requests):
        both = round(min(r.requests["sent_s"].max() for r in (a, b)) * SECOND)  # while either run goes on
        assert downs(a, both) == downs(b, both)


def downs(r: Result, end: int) -> set[tuple[int, int, int]]:
    """(replica, since, until) of what lies before a tick."""
    rows = zip(*(r.shifts[name].tolist() for name in ("replica", "since", "until", "state")), strict=True)
    return {(replica, since, min(until, end)) for replica, since, until, state in rows if state == DOWN and since < end}


def test_that_would_show() -> None:
    """The comparison of messages tells two networks apart that differ in one draw in a thousand."""
    mild, wild = (
        played(world([20] * 5, fleet={"devices": 5}, network={"loss": loss}), policy("always"), 1)[1]
        for loss in (0.1, 0.101)
    )
    messages = [(device, step, 1, 0, 0) for device in range(5) for step in range(1000)]
    assert 0 < sum(ways(mild, *each) != ways(wild, *each) for each in messages) < 40
    assert all(ways(mild, *each) == ways(mild, *each) for each in messages)
