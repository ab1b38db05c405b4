"""When devices stop: their users leave for good, or the run reaches its horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenarios.schema.fleet import Churn
from simulator.clock import SECOND, ticks
from simulator.draws import uniforms
from simulator.outcomes import IntArray
from simulator.request import ABANDONED, IN_FLIGHT
from simulator.world import World


@dataclass(frozen=True)
class Departures:
    """stops: [devices] tick from which a device interacts no more and hears nothing. leaves: [devices] whether its
    user has left by then, or the run is over."""

    stops: list[int]
    leaves: list[bool]

    def fate(self, device: int) -> int:
        """Status of what is in flight when the device stops."""
        return ABANDONED if self.leaves[device] else IN_FLIGHT


def departures(world: World, seed: int, starts: IntArray) -> Departures | None:
    """When each device stops, given its start; None where all live through their streams."""
    churn, horizon_s = world.fleet.churn, world.fleet.horizon_s
    if not isinstance(churn, Churn) and horizon_s is None:
        return None
    never = np.iinfo(np.int64).max
    horizon = never if horizon_s is None else max(ticks(horizon_s), 1)
    leave = np.full(world.devices, never)
    if isinstance(churn, Churn):
        drawn = uniforms(seed, "lifetime", np.arange(world.devices), np.zeros(world.devices, np.int64))
        leave = starts + np.maximum(np.rint(-churn.lifetime_s * SECOND * np.log(drawn)), 1).astype(np.int64)
    stops = np.minimum(leave, horizon)
    return Departures(stops.tolist(), (leave <= horizon).tolist())
