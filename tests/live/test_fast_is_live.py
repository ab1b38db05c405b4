"""The sleeping engine and the live one give the same request log and the same metrics, bit by bit."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from troubles import rough_worlds
from worlds import POLICIES, PRICED, HashModels, outcomes, policy, worlds

from scenarios.schema.cloud import Cloud
from scenarios.schema.fleet import Fleet
from simulator.policies.base import Policy
from simulator.rehearse import rehearse
from simulator.run import run, run_live
from simulator.world import World


def agree(world: World, policy: Policy, seed: int) -> None:
    fast = run(world, policy, seed, rehearse(world, [policy], seed, outcomes(world)))
    live = run_live(world, policy, seed, HashModels())
    pd.testing.assert_frame_equal(fast.requests, live.requests, check_exact=True)
    pd.testing.assert_frame_equal(fast.devices, live.devices, check_exact=True)
    pd.testing.assert_frame_equal(fast.series, live.series, check_exact=True)
    books = [(r.ledger, r.duration_s, r.busy_s, r.provisioned_s, r.usd) for r in (fast, live)]
    assert books[0] == books[1]
    for name, column in fast.shifts.items():
        assert column.tolist() == live.shifts[name].tolist()
    assert live.ranks is not None
    assert int(((live.ranks >= 1) & (live.ranks <= 10)).sum()) == fast.devices["hits_at_10"].sum()


@given(worlds(), POLICIES, st.integers(0, 5))
@settings(max_examples=200, deadline=None)
def test_fast_and_live_agree(world: World, policy: Policy, seed: int) -> None:
    agree(world, policy, seed)


@given(rough_worlds(), POLICIES, st.integers(0, 5))
@settings(max_examples=400, deadline=None)
def test_fast_and_live_agree_with_everything_on(world: World, policy: Policy, seed: int) -> None:
    agree(world, policy, seed)


@given(rough_worlds(), PRICED, st.booleans(), st.integers(0, 5))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_they_agree_where_prices_are_heard_in_the_midst_of_asking(
    world: World, keys: dict[str, object], replaces: bool, seed: int
) -> None:
    """Also from a rejection that is not the end of a request, or from an answer too old to be shown."""
    backoff = {"kind": "backoff", "attempts": 5, "first_s": 0.01, "longest_s": 0.2}
    fleet = {"flight": "replace" if replaces else "single", "late_answers": "use", "retry": backoff}
    cloud = {"pricing": {"kind": "backlog", "target": 0.5, "settle_s": 0.1}, "queue_limit": 1}
    crowded = replace(
        world,
        fleet=Fleet.model_validate({**world.fleet.model_dump(), **fleet}),
        cloud=Cloud.model_validate({**world.cloud.model_dump(), **cloud}),
    )
    agree(crowded, policy(**keys), seed)
