"""The laws of a run in worlds with everything on: what networks, devices and clouds can do, at once.

A run checks its own books (`simulator.ledger`, `simulator.conduct`, `simulator.watchdog`); what is checked here is that
it comes to an end at all, that its tables tell one story, and that no policy changes what another one meets. For many
more worlds than in a routine run:  RECFLEET_WORLDS=10000 pytest tests/simulator/test_everything.py
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from keys import Step, keys
from troubles import rough_worlds
from witnesses import WITHOUT_EFFECT, name_of
from worlds import LIST, POLICIES, mixed, outcomes

from scenarios.schema import Scenario
from scenarios.schema.base import Block
from scenarios.schema.fleet import Asynchronous
from scenarios.schema.pushes import NoPushes
from simulator.policies import AnyPolicy
from simulator.policies.base import Policy
from simulator.rehearse import rehearse
from simulator.run import Result, run
from simulator.world import World

OF_MODELS = ("catalogue", "adaptation", "stages", "making_s")
"""Words in keys that models obey, whatever block they stand in."""
WORLDS = int(os.environ.get("RECFLEET_WORLDS", "150"))
many = settings(max_examples=WORLDS, deadline=None, suppress_health_check=list(HealthCheck))


def note(block: Block, at: str, seen: dict[str, set[str]]) -> None:
    """Note under each key what a block has there; one class of access stands for all."""
    for name, value in block:
        path = f"{at}.{name}"
        several = isinstance(value, tuple) and any(isinstance(each, Block) for each in value)
        for each in value if several else [value]:
            kind = getattr(each, "kind", None)
            seen[name_of(path)].add(str(kind) if isinstance(each, Block) else repr(each))
            if isinstance(each, Block):
                note(each, f"{path}[{kind or ''}]" if several or kind else path, seen)


def test_the_worlds_have_every_feature_there_is_and_no_key_at_one_value_only() -> None:
    seen = defaultdict[str, set[str]](set)

    @given(rough_worlds())
    @settings(many, max_examples=500, database=None, derandomize=True, phases=[Phase.generate])
    def look(w: World) -> None:
        blocks = {f"data.pace[{w.pace.kind}]": w.pace, "fleet": w.fleet, "network": w.network, "cloud": w.cloud}
        seen["data.pace"].add(w.pace.kind)
        for at, block in blocks.items():
            note(block, at, seen)

    look()
    for key in keys(Scenario[AnyPolicy]):
        name = name_of(key.path)
        of_engine = name.startswith(("data.pace", "fleet", "network", "cloud"))
        if not of_engine or any(word in name for word in OF_MODELS) or name in WITHOUT_EFFECT:
            continue
        wanted = {str(each.kind) if isinstance(each, Step) else repr(each) for each in key.choices}
        assert seen[name] >= wanted, f"{key.path}: no world has {wanted - seen[name]}; see troubles.py and clouds.py"
        assert len(seen[name]) > 1 or key.choices, (
            f"{key.path}: every world has {seen[name]}; see troubles.py, clouds.py"
        )


def result(w: World, p: Policy, seed: int = 1) -> Result:
    return run(w, p, seed, rehearse(w, [p], seed, outcomes(w)))


@given(rough_worlds(), POLICIES, st.integers(0, 3))
@many
def test_tables_and_books_tell_one_story(w: World, p: Policy, seed: int) -> None:
    told: list[int] = []
    r = run(w, p, seed, rehearse(w, [p], seed, outcomes(w)), told.append)
    q, d = r.requests, r.devices
    assert r.ledger.issued == len(q) == d["attempts"].sum() == sum(q["status"].value_counts())
    assert d["requests"].sum() == (q["attempt"] == 1).sum()
    assert (d["interactions"] <= w.lengths).all()
    assert sum(told) == w.lengths.sum()
    for way in ("uplink_bytes", "downlink_bytes"):
        assert q[way].sum() == d[way].sum()
    assert (d[["radio_j", "compute_j", "waited_s", "staleness"]] >= 0).all(axis=None)
    stopped = w.fleet.horizon_s
    if stopped is not None:
        assert not (q["sent_s"] > stopped).any()
        assert not (q["answered_s"] > stopped).any()


@given(rough_worlds(), POLICIES)
@many
def test_the_device_table_follows_from_the_request_log_step_by_step(w: World, p: Policy) -> None:
    """Against a plain loop over every step, for which the newest answer that was applied by then is held.

    Without pushes: which version a step is shown by is up to its time, and for tests/simulator/test_pushes.py.
    """
    r = result(replace(w, fleet=w.fleet.model_copy(update={"pushes": NoPushes()})), p)
    cuts = r.requests["cut"] if "cut" in r.requests else r.requests["step"]
    shown = {
        (q.device, q.applied_step): cut
        for q, cut in zip(r.requests.itertuples(), cuts, strict=True)
        if q.applied_step >= 0
    }
    for row in r.devices.itertuples():
        cut, ranks, ages = -1, [], []
        for step in range(row.interactions):
            cut = shown.get((row.device, step), cut)
            ranks.append(int(mixed(row.user, cut, step)[0]) % (LIST + 1))
            ages.append(step - cut if cut >= 0 else 0)
        assert row.hits_at_10 == sum(1 <= k <= 10 for k in ranks)
        assert row.reciprocal_rank == pytest.approx(sum(1 / k for k in ranks if k))
        assert row.staleness == sum(ages)


@given(rough_worlds(), POLICIES, POLICIES, st.integers(0, 3))
@many
def test_no_policy_changes_what_another_one_meets(w: World, one: Policy, other: Policy, seed: int) -> None:
    """A device's interactions come, and its life ends, at the same times; and what it asks at a step travels equally
    long, or is lost, by whichever policy it asks."""
    network = w.network.model_dump()
    for access in (network, *network["mix"]):
        access["uplink_mbps"] = None  # how much a request carries is the policy's doing
    w = replace(
        w, network=type(w.network).model_validate(network), fleet=w.fleet.model_copy(update={"waiting": Asynchronous()})
    )
    a, b = (result(w, p, seed) for p in (one, other))
    assert a.devices["interactions"].equals(b.devices["interactions"])
    assert a.devices["compute_j"].equals(b.devices["compute_j"])
    logs = [r.requests[r.requests["attempt"] == 1].set_index(["device", "step"]) for r in (a, b)]
    left, right = logs[0].align(logs[1], join="inner", axis=0)
    for column in ("intended_s", "sent_s", "arrived_s"):
        pd.testing.assert_series_equal(left[column], right[column], check_exact=True)


@given(rough_worlds(), POLICIES, st.integers(0, 3))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_seed_says_everything(w: World, p: Policy, seed: int) -> None:
    a, b = result(w, p, seed), result(w, p, seed)
    pd.testing.assert_frame_equal(a.requests, b.requests, check_exact=True)
    pd.testing.assert_frame_equal(a.devices, b.devices, check_exact=True)
    assert np.array_equal([a.duration_s, a.busy_s], [b.duration_s, b.busy_s])
