"""Cycles that are laid out beforehand are those that devices live through one step after the other."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from test_laws import result, same
from worlds import POLICIES, policy, world, worlds

from simulator.clock import PAGE
from simulator.cycle import CyclingFleet
from simulator.device import SleepingDevice
from simulator.policies.base import Policy
from simulator.world import World


@given(worlds(), POLICIES, st.integers(0, 5), st.sampled_from([15, 25, PAGE]))
@settings(max_examples=150, deadline=None)
def test_laid_out_or_lived_through_is_the_same(world: World, policy: Policy, seed: int, page: int) -> None:
    """Also where pages are so short that nearly every device sleeps till a later one."""
    with patch.multiple("simulator.clock", PAGE=page, FEW=2, CHUNK=3):
        laid_out = result(world, policy, seed)
        with patch.object(CyclingFleet, "fits", return_value=False):
            same(laid_out, result(world, policy, seed))


def test_usual_devices_are_no_objects() -> None:
    """What is slow, lost or refused makes one, and nothing else does; with clones, and two classes of access."""
    asks = policy("footrule", threshold=5.0)
    mix = [{"kind": "wifi", "share": 0.5}]
    calm = world([40, 25, 60], fleet={"devices": 30}, network={"mix": mix}, pace={"kind": "drawn"})
    made: list[int] = []

    def count(fleet: CyclingFleet, number: int, held: int, step: int) -> SleepingDevice:
        made.append(number)
        return awake(fleet, number, held, step)

    awake = SleepingDevice.awake
    with patch.object(SleepingDevice, "awake", count):
        found = result(calm, asks)
    unusual = found.requests["applied_step"] != found.requests["step"] + 1
    assert len(found.requests) > 300
    assert 0 < len(made) == unusual.sum() < 0.2 * len(found.requests)
