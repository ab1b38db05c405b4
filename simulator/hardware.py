"""How long each device's own model takes at an interaction, and what it draws meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from simulator.clock import MILLISECOND, SECOND
from simulator.draws import uniforms
from simulator.network import classes
from simulator.outcomes import FloatArray, IntArray
from simulator.world import World


@dataclass(frozen=True)
class Compute:
    """ticks: [devices] of computing at each interaction. watts: [devices] drawn meanwhile."""

    ticks: IntArray
    watts: FloatArray

    def joules(self, interactions: IntArray) -> FloatArray:
        """[devices] energy of so many interactions."""
        return np.asarray(interactions * (self.ticks / SECOND) * self.watts)


def compute(world: World, seed: int) -> Compute | None:
    """What computing takes on each device; None where it takes nothing."""
    spec, n = world.fleet.hardware, world.devices
    if not spec:
        return None
    kind = classes(seed, "hardware", [each.share for each in spec], n)
    median, sigma, watts = (
        np.array([getattr(each, key) for each in spec])[kind] for key in ("srm_ms", "srm_sigma", "watts")
    )
    normal = ndtri(uniforms(seed, "speed", np.arange(n), np.zeros(n, np.int64)))
    return Compute(np.rint(median * np.exp(sigma * normal) * MILLISECOND).astype(np.int64), watts)
