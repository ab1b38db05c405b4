"""How long each device's own model takes at an interaction, and what it draws meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from scenarios.schema.adaptation import NoAdaptation
from simulator.clock import MILLISECOND, SECOND
from simulator.draws import uniforms
from simulator.network import classes
from simulator.outcomes import FloatArray, IntArray
from simulator.world import World


@dataclass(frozen=True)
class Compute:
    """ticks: [devices] of computing at each interaction. watts: [devices] drawn meanwhile. adapting: [devices] ticks
    that a device goes on training its model, before its interactions 0, `every`, 2 `every`, ..."""

    ticks: IntArray
    watts: FloatArray
    adapting: IntArray
    every: int

    def at(self, device: IntArray, step: IntArray) -> IntArray:
        """[n] ticks that a device computes at a step."""
        return np.asarray(self.ticks[device] + self.adapting[device] * (step % self.every == 0))

    def joules(self, interactions: IntArray) -> FloatArray:
        """[devices] energy of so many interactions."""
        spent = interactions * self.ticks + -(-interactions // self.every) * self.adapting
        return np.asarray(spent / SECOND * self.watts)


def compute(world: World, seed: int) -> Compute | None:
    """What computing takes on each device; None where it takes nothing."""
    spec, adaptation, n = world.fleet.hardware, world.fleet.adaptation, world.devices
    if not spec:
        return None
    kind = classes(seed, "hardware", [each.share for each in spec], n)
    median, of_item, sigma, watts = (
        np.array([getattr(each, key) for each in spec])[kind]
        for key in ("srm_ms", "adaptation_ms", "srm_sigma", "watts")
    )
    slowness = np.exp(sigma * ndtri(uniforms(seed, "speed", np.arange(n), np.zeros(n, np.int64))))
    every, items = 1, 0
    if not isinstance(adaptation, NoAdaptation):
        every, items = adaptation.every, adaptation.steps * adaptation.window
    ticks, adapting = (np.rint(ms * slowness * MILLISECOND).astype(np.int64) for ms in (median, items * of_item))
    return Compute(ticks, watts, adapting, every)
