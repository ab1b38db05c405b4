"""Cycles that are laid out beforehand are those that devices live through one step after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from troubles import rough_worlds
from worlds import outcomes, policy, world, worlds

from scenarios.schema.fleet import Fleet
from simulator.clock import PAGE, SECOND, Sleeper
from simulator.cycle import CyclingFleet
from simulator.device import SleepingDevice
from simulator.fleet import SleepingFleet
from simulator.foresight import Foresight
from simulator.outcomes import IntArray
from simulator.policies.base import Policy
from simulator.records import COLUMNS
from simulator.rehearse import rehearse
from simulator.stage import Stage
from simulator.world import World

BACKOFF = {"kind": "backoff", "attempts": 3, "first_s": 0.01, "longest_s": 0.2}
UNUSUAL: dict[str, Any] = {
    "waiting": {"kind": "blocking", "deadline_ms": 10},
    "late_answers": "use",
    "flight": "replace",
    "retry": BACKOFF,
    "breaker": {"kind": "consecutive", "failures": 2, "open_s": 1.0},
    "churn": {"kind": "exponential", "lifetime_s": 60.0},
    "horizon_s": 60.0,
    "pushes": {"kind": "scheduled", "first_s": 1.0, "every_s": 1.0, "count": 2},
}
"""What else than its own answers changes what a device does."""
ALIKE = st.one_of(
    st.just(policy("always")),
    st.builds(lambda n: policy("periodic", every=n), st.integers(1, 9)),
    st.builds(lambda t: policy("footrule", threshold=t), st.sampled_from([0.0, 2.0, 5.0, 8.0, 20.0])),
)


@st.composite
def usual_worlds(draw: st.DrawFn) -> World:
    """Any networks, clouds, paces and hardware, but devices that only ask and wait."""
    world = draw(worlds() | rough_worlds())
    keys = {key: value for key, value in world.fleet.model_dump().items() if key not in UNUSUAL}
    return replace(world, fleet=Fleet.model_validate(keys))


def setting(world: World, policy: Policy, seed: int = 1, rehearsed: World | None = None) -> tuple[Stage, Foresight]:
    stage = Stage.of(world, seed, None)
    rehearsed = rehearsed or world
    return stage, Foresight(policy, seed, rehearse(rehearsed, [policy], seed, outcomes(rehearsed)), stage.pushes)


def played(
    kind: type[SleepingFleet], world: World, policy: Policy, seed: int = 1, rehearsed: World | None = None
) -> tuple[list[tuple[int, ...]], int]:
    """The log of a run, a row a request, and when the last interaction was."""
    stage, foresight = setting(world, policy, seed, rehearsed)
    assert CyclingFleet.fits(stage, foresight) or world.lengths.max() == 1
    fleet = kind(stage, foresight)
    stage.play(fleet.end)
    parts = stage.exchange.records.log(world.devices).parts()
    return [row for part in parts for row in zip(*(part[name].tolist() for name in COLUMNS), strict=True)], fleet.ended


@given(usual_worlds(), ALIKE, st.integers(0, 5), st.sampled_from([15, 20, 25, PAGE]), st.sampled_from([1, 2, 512]))
@settings(max_examples=100, deadline=None)
def test_laid_out_or_lived_through_is_the_same(world: World, policy: Policy, seed: int, page: int, chunk: int) -> None:
    """Also where pages are so short that nearly every device sleeps till a later one, and where none does; laid out one
    by one or together."""

    def checked(fleet: CyclingFleet, times: IntArray, devices: IntArray, notes: IntArray) -> list[Sleeper]:
        together = fetch(fleet, times, devices, notes)
        each = zip(times.tolist(), devices.tolist(), notes.tolist(), strict=True)
        assert together == [fleet.one(*one) for one in each]
        return together

    fetch = CyclingFleet.fetch
    clock = patch.multiple("simulator.clock", PAGE=page, FEW=2, CHUNK=chunk)
    with clock, patch.object(CyclingFleet, "fetch", checked):
        assert played(CyclingFleet, world, policy, seed) == played(SleepingFleet, world, policy, seed)


def test_streams_may_be_shorter_than_those_rehearsed() -> None:
    """As where the settings of a stress share a rehearsal."""
    asks, long = policy("footrule", threshold=8.0), world([40, 25, 60], fleet={"devices": 9})
    short = replace(long, fleet=long.fleet.model_copy(update={"interactions": 10}))
    assert played(CyclingFleet, short, asks, rehearsed=long) == played(SleepingFleet, short, asks)


def test_an_answer_of_the_moment_is_too_late_for_who_has_had_a_turn_in_it() -> None:
    """At 3 s the first device's user goes on, then the second device asks, whose request fills the batch of both."""
    at_once: dict[str, Any] = {
        "batching": {"max_size": 2, "max_wait_ms": 10_000},
        "service": {"milliseconds": {1: 0, 2: 0}},
    }
    calm = world(
        [4, 2],
        [0, 1, 3, 4, 0, 3],
        {"kind": "recorded", "start_spread_s": 0},
        {"timeout_s": 60},
        {"rtt_ms": 0, "uplink_mbps": None, "downlink_mbps": None},
        at_once,
    )
    rows, _ = log = played(CyclingFleet, calm, policy("always"))
    found = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    assert [(row["device"], row["step"], row["answered"], row["applied"]) for row in found] == [
        (0, 0, 0, 1),
        (1, 0, 0, 1),
        (0, 1, 3 * SECOND, 3),
        (1, 1, 3 * SECOND, -1),
        (0, 3, 14 * SECOND, -1),
    ]
    assert log == played(SleepingFleet, calm, policy("always"))


@pytest.mark.parametrize("key", UNUSUAL)
def test_nothing_is_laid_out_where_more_than_answers_changes_what_devices_do(key: str) -> None:
    asks = policy("footrule", threshold=5.0)
    assert CyclingFleet.fits(*setting(world(), asks))
    assert not CyclingFleet.fits(*setting(world(fleet={key: UNUSUAL[key]}), asks))


@pytest.mark.parametrize(
    "keys",
    [
        {"kind": "never"},
        {"kind": "random", "probability": 0.3},
        {"kind": "threshold", "signal": "seconds", "threshold": 1.0},
        {"kind": "bucket", "rule": {"kind": "always"}, "per_interaction": 0.3, "burst": 2},
        {"kind": "tracker", "rate": 0.2, "step": 0.1},
        {"kind": "priced", "threshold": 5.0, "half_life_s": 60.0},
    ],
)
def test_nothing_is_laid_out_for_policies_that_do_not_say_the_same_of_all_clones(keys: dict[str, Any]) -> None:
    assert not CyclingFleet.fits(*setting(world(), policy(**keys)))


def test_usual_devices_are_no_objects() -> None:
    """What is slow, lost or refused makes one, and nothing else does; with clones, and two classes of access."""
    mix = [{"kind": "wifi", "share": 0.5}]
    calm = world([40, 25, 60], fleet={"devices": 30}, network={"mix": mix}, pace={"kind": "drawn"})
    made: list[int] = []

    def count(fleet: CyclingFleet, number: int, held: int, step: int) -> SleepingDevice:
        made.append(number)
        return awake(fleet, number, held, step)

    awake = SleepingDevice.awake
    with patch.object(SleepingDevice, "awake", count):
        rows, _ = played(CyclingFleet, calm, policy("footrule", threshold=5.0))
    step, applied = COLUMNS.index("step"), COLUMNS.index("applied")
    unusual = [row for row in rows if row[applied] != row[step] + 1]
    assert len(rows) > 300
    assert 0 < len(made) == len(unusual) < 0.2 * len(rows)
