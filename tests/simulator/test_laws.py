"""The laws of a run, each for worlds that hypothesis makes up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import LIST, POLICIES, mixed, outcomes, policy, world, worlds

from scenarios.schema.cloud import Cloud
from scenarios.schema.fleet import Blocking
from scenarios.schema.network import Network
from simulator.policies.base import Policy
from simulator.rehearse import rehearse
from simulator.run import Result, run
from simulator.world import World


def result(w: World, p: Policy, seed: int = 1) -> Result:
    return run(w, p, seed, rehearse(w, [p], seed, outcomes(w)))


def same(a: Result, b: Result) -> None:
    pd.testing.assert_frame_equal(a.requests, b.requests, check_exact=True)
    pd.testing.assert_frame_equal(a.devices, b.devices, check_exact=True)
    assert (a.ledger, a.duration_s, a.busy_s) == (b.ledger, b.duration_s, b.busy_s)


@given(worlds(), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_random_and_periodic_of_one_are_always(w: World, seed: int) -> None:
    always = result(w, policy("always"), seed)
    same(always, result(w, policy("random", probability=1), seed))
    same(always, result(w, policy("periodic", every=1), seed))
    same(always, result(w, policy("footrule", threshold=0), seed))


@given(worlds())
@settings(max_examples=30, deadline=None)
def test_never_asks_never_and_is_the_device_alone(w: World) -> None:
    alone = result(w, policy("never"))
    assert len(alone.requests) == alone.ledger.issued == 0
    assert (alone.devices[["requests", "held", "staleness", "uplink_bytes", "downlink_bytes"]] == 0).all(axis=None)
    ranks = [mixed(u, -1, np.arange(n)) % np.uint64(LIST + 1) for u, n in zip(w.device_users, w.lengths, strict=True)]
    assert alone.devices["hits_at_10"].tolist() == [((r >= 1) & (r <= 10)).sum() for r in ranks]


@given(worlds(), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_no_delay_and_blocking_shows_the_freshest_list_at_every_step(w: World, seed: int) -> None:
    """The paper's evaluation: every interaction is shown with the list of its own cut, and nobody waits."""
    quick = Cloud.model_validate(
        {"queue_limit": None, "batching": {"max_size": 1}, "service": {"milliseconds": {1: 0.0}}}
    )
    none = Network(rtt_ms=0, uplink_mbps=None, downlink_mbps=None)
    w = replace(w, cloud=quick, network=none, fleet=w.fleet.model_copy(update={"waiting": Blocking()}))
    fresh = result(w, policy("always"), seed)
    assert (fresh.requests["status"] == "answered").all()
    assert (fresh.requests["applied_step"] == fresh.requests["step"]).all()
    assert fresh.devices["held"].tolist() == fresh.devices["requests"].tolist() == w.lengths.tolist()
    assert (fresh.devices[["staleness", "waited_s"]] == 0).all(axis=None)


@given(worlds(), POLICIES, st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_a_seed_says_everything(w: World, p: Policy, seed: int) -> None:
    same(result(w, p, seed), result(w, p, seed))


@given(worlds(), POLICIES, POLICIES)
@settings(max_examples=100, deadline=None)
def test_policies_meet_the_same_weather(w: World, one: Policy, other: Policy) -> None:
    """A request of device d at step t travels equally long, and is lost or not, whatever was asked before."""
    w = replace(w, network=w.network.model_copy(update={"uplink_mbps": None, "request_header_bytes": 0}))
    logs = [result(w, p).requests.set_index(["device", "step"]) for p in (one, other)]
    a, b = logs[0].align(logs[1], join="inner", axis=0)
    assert a["intended_s"].equals(b["intended_s"])
    travelled = [(log["arrived_s"] - log["sent_s"]).to_numpy() for log in (a, b)]
    np.testing.assert_allclose(*travelled, rtol=0, atol=1e-9)


@given(worlds(), POLICIES)
@settings(max_examples=60, deadline=None)
def test_log_ledger_and_device_table_count_alike(w: World, p: Policy) -> None:
    r = result(w, p)
    statuses = r.requests["status"].value_counts()
    assert r.ledger.issued == len(r.requests) == r.devices["requests"].sum() == statuses.sum()
    assert all(getattr(r.ledger, name) == count for name, count in statuses.items())
    assert r.requests["uplink_bytes"].sum() == r.devices["uplink_bytes"].sum()
    lost_s = r.busy_s - r.requests["gpu_s"].sum()
    assert lost_s == pytest.approx(0, abs=1e-6) or (lost_s > 0 and (r.detours["started"] >= 0).any())
    assert r.devices["interactions"].sum() == w.lengths.sum()


@given(worlds(), POLICIES)
@settings(max_examples=60, deadline=None)
def test_device_table_follows_from_the_request_log_step_by_step(w: World, p: Policy) -> None:
    """Against a plain loop over every step."""
    r = result(w, p)
    shown = {(q.device, q.applied_step): int(q.cut) for q in r.requests.itertuples() if q.applied_step >= 0}
    for row in r.devices.itertuples():
        cut, ranks, ages = -1, [], []
        for step in range(row.interactions):
            cut = shown.get((row.device, step), cut)
            ranks.append(int(mixed(row.user, cut, step)[0]) % (LIST + 1))
            ages.append(step - cut if cut >= 0 else 0)
        assert row.hits_at_10 == sum(1 <= k <= 10 for k in ranks)
        assert row.ndcg_at_10 == pytest.approx(sum(1 / np.log2(k + 1) for k in ranks if 1 <= k <= 10))
        assert row.reciprocal_rank == pytest.approx(sum(1 / k for k in ranks if k))
        assert row.staleness == sum(ages)


def test_progress_adds_up_to_all_interactions() -> None:
    w, told = world([120, 70, 2000]), list[int]()
    for p in (policy("always"), policy("never"), policy("footrule", threshold=5)):
        told.clear()
        demand = rehearse(w, [p], 1, outcomes(w), told.append)
        assert sum(told) == 2190
        told.clear()
        run(w, p, 1, demand, told.append)
        assert sum(told) == 2190
        assert min(told) > 0
