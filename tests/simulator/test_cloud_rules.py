"""The rules of the cloud, each held against the words of the schema, read off the request log or a plain reference.

That a rule changes something is not enough: an order turned upside down would change something too.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from worlds import outcomes, policy, world

from scenarios.schema.capacity import ConcurrencyScaling
from scenarios.schema.queueing import TokenBucket as TokenBucketSpec
from simulator.clock import SECOND
from simulator.cloud.admission import TokenBucket
from simulator.cloud.autoscaling import Autoscaler
from simulator.cloud.discipline import device_class
from simulator.rehearse import rehearse
from simulator.run import run

SEED = 3
ONE_BY_ONE = {"batching": {"max_size": 1, "max_wait_ms": 0}, "service": {"milliseconds": {1: 50}}}


class Seen:
    """The requests of a busy cloud in the order in which they came; times in ticks, -1 where they did not come."""

    def __init__(self, **cloud: Any) -> None:
        pace = {"kind": "drawn", "think_time_s": 1.0, "think_time_sigma": 1.0, "session_length": 1000}
        pace["start_spread_s"] = 5
        w, p = world([25] * 30, pace=pace, cloud={"queue_limit": None, **ONE_BY_ONE, **cloud}), policy("always")
        log = run(w, p, SEED, rehearse(w, [p], SEED, outcomes(w))).requests
        self.log = log[log["arrived_s"].notna()].sort_values("arrived_s", kind="stable").reset_index(drop=True)
        self.sent, self.arrived, self.started = (self.ticks(name) for name in ("sent", "arrived", "started"))
        self.left = self.ticks("left")
        self.gone = np.maximum(self.ticks("finished"), self.left)
        self.replica, self.device = self.log["replica"].to_numpy(), self.log["device"].to_numpy()
        assert len(np.unique(self.arrived)) == len(self.arrived), "no two come at once"

    def ticks(self, name: str) -> Any:
        return np.rint(self.log[f"{name}_s"].fillna(-1 / SECOND) * SECOND).astype(np.int64).to_numpy()


def classes(seen: Seen, *shares: float) -> Any:
    return np.array([device_class(SEED, device, shares) for device in seen.device.tolist()])


URGENT = ({"share": 0.4, "deadline_ms": 100}, {"share": 0.6, "deadline_ms": 2000})
ORDERS: list[tuple[dict[str, Any], Callable[[Seen], Any]]] = [
    ({"kind": "fifo"}, lambda seen: seen.arrived),
    ({"kind": "lifo"}, lambda seen: -seen.arrived),
    ({"kind": "shortest-history"}, lambda seen: seen.log["step"].to_numpy()),
    ({"kind": "priority", "shares": (0.3, 0.7)}, lambda seen: classes(seen, 0.3, 0.7) * 10**15 + seen.arrived),
    (
        {"kind": "earliest-deadline", "classes": URGENT},
        lambda seen: seen.sent + np.where(classes(seen, 0.4, 0.6) == 0, 100, 2000) * SECOND // 1000,
    ),
]


@pytest.mark.parametrize(("discipline", "rank"), ORDERS, ids=[kind["kind"] for kind, _ in ORDERS])
def test_who_is_taken_ranks_first_of_those_who_wait(discipline: dict[str, Any], rank: Callable[[Seen], Any]) -> None:
    seen = Seen(discipline=discipline)
    ranks, chosen = rank(seen), 0
    for n in np.flatnonzero(seen.started >= 0):
        waiting = (seen.arrived <= seen.started[n]) & (seen.started >= seen.started[n])
        assert ranks[n] == ranks[waiting].min()
        chosen += np.unique(ranks[waiting]).size > 1
    assert chosen > 100, "there was something to choose from"


@pytest.mark.parametrize("routing", ["round-robin", "least-loaded", "power-of-two"])
def test_requests_join_the_queue_that_the_routing_says(routing: str) -> None:
    replicas = 3
    seen = Seen(routing=routing, replicas=replicas, service={"milliseconds": {1: 150}})
    if routing == "round-robin":
        assert (seen.replica == np.arange(len(seen.replica)) % replicas).all()
        return
    differed, least = 0, 0
    for n, now in enumerate(seen.arrived):
        there = seen.gone[:n] > now
        present = np.bincount(seen.replica[:n][there], minlength=replicas)
        mine = present[seen.replica[n]]
        least += mine == present.min()
        differed += present.max() > present.min()
        if routing == "least-loaded":
            assert seen.replica[n] == present.argmin()
        else:
            assert mine <= np.sort(present)[-2], "never the one that is more loaded than all others"
    assert differed > 100
    assert routing == "least-loaded" or least < len(seen.arrived), "at times the least loaded was not drawn"


def test_nobody_begins_after_his_deadline_and_nobody_is_shed_before() -> None:
    seen = Seen(admission={"kind": "deadline", "deadline_ms": 100})
    served, shed = seen.started >= 0, seen.left >= 0
    assert ((seen.started - seen.arrived)[served] <= 0.1 * SECOND).all()
    assert ((seen.left - seen.arrived)[shed] > 0.1 * SECOND).all()
    assert min(served.sum(), shed.sum()) > 50


def test_the_cache_answers_all_that_it_may() -> None:
    """That it answers nothing else is a law of every run."""
    seen = Seen(answer_cache={"kind": "per-user", "lifetime_s": 1.0})
    kept = (seen.left >= 0).sum()
    for n in np.flatnonzero(seen.started >= 0):
        made = seen.gone[(seen.device == seen.device[n]) & (seen.started >= 0)]
        assert not ((made <= seen.arrived[n]) & (made >= seen.arrived[n] - SECOND)).any()
    assert kept > 50


@given(st.integers(1, 4), st.sampled_from([1, 4, 10]), st.lists(st.integers(0, 2 * SECOND), max_size=60))
def test_a_bucket_holds_what_came_in_less_what_was_taken(burst: int, rate: int, pauses: list[int]) -> None:
    bucket = TokenBucket(TokenBucketSpec(rate_per_s=rate, burst=burst))
    tokens, now = Fraction(burst), 0
    for pause in pauses:
        now += pause
        tokens = min(tokens + Fraction(pause * rate, SECOND), Fraction(burst))
        assert bucket.admits(now) == (tokens >= 1)
        tokens -= tokens >= 1


@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=30),
    st.sampled_from([0.0, 45.0, 300.0]),
    st.sampled_from([0.0, 0.1, 0.5]),
)
@example([17, 22], 0.0, 0.1)
def test_replicas_follow_the_rule_of_kubernetes(load: list[int], down_window_s: float, tolerance: float) -> None:
    """desired = ceil(present / target) unless the ratio is near 1; fewer only where nothing within the window, this
    look included, asked for more."""
    spec = ConcurrencyScaling(
        target=4, min_replicas=1, max_replicas=9, interval_s=15, tolerance=tolerance, down_window_s=down_window_s
    )
    scaler, replicas, asked = Autoscaler(spec), 1, list[tuple[float, int]]()
    for look, present in enumerate(load):
        now = 15.0 * look
        near = abs(Fraction(present, 4 * replicas) - 1) <= Fraction(str(tolerance))
        desired = min(max(replicas if near else ceil(Fraction(present, 4)), 1), 9)
        asked.append((now, desired))
        lately = max(each for then, each in asked if then >= now - down_window_s)
        expected = desired if desired >= replicas else min(replicas, lately)
        replicas = scaler.wanted(round(now * SECOND), present, replicas)
        assert replicas == expected
