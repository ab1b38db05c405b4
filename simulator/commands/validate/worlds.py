"""Worlds whose cloud queueing theory can solve, made of scenario keys alone.

Very many devices that ask once, at moments spread evenly over a long time and in a number drawn from a Poisson law, are
a Poisson stream of requests. A few devices that think, ask and wait for the answer are the machines of the repairman.
Services take a second on the average, over a network that takes no time.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from scenarios.schema.cloud import Cloud
from scenarios.schema.data import Pace
from scenarios.schema.fleet import Fleet
from scenarios.schema.network import Network
from simulator.foresight import Demand
from simulator.outcomes import IntArray, SignalArray
from simulator.policies.always import Always
from simulator.run import Result, run
from simulator.world import World

SIGMA = 0.5
"""Spread of think times; the repairman's theory is insensitive to it."""
LONG_S = 1e8
"""Longer than anybody waits."""
_PACE: TypeAdapter[Any] = TypeAdapter(Pace)


class _Blank:
    """Outcomes of nothing: accuracy is no concern here."""

    answer_items = 0

    def __init__(self, steps: IntArray) -> None:
        self.steps = steps

    def ensure(self, users: IntArray, cuts: IntArray, until: IntArray) -> None:
        """Nothing to make."""

    def signal(self, name: str, user: int, cut: int, start: int, stop: int) -> SignalArray:
        """No signal says anything."""
        return np.zeros(stop - start, np.float32)

    def signals(self, name: str, users: IntArray, cuts: IntArray, starts: IntArray, stops: IntArray) -> SignalArray:
        """Nor does any of many."""
        return np.zeros(int((stops - starts).sum()), np.float32)

    def ranks(self, users: IntArray, cuts: IntArray, starts: IntArray, stops: IntArray) -> npt.NDArray[np.uint16]:
        """Nothing is shown."""
        return np.zeros(int((stops - starts).sum()), np.uint16)


def poisson(cloud: dict[str, Any], rate: float, requests: int, seed: int, patience_s: float | None = None) -> World:
    """Requests at `rate` a second, for so long that `requests` are expected; with a patience (exponential, its mean)
    a device leaves while it waits."""
    number = int(np.random.default_rng(seed).poisson(requests))
    fleet: dict[str, Any] = {"devices": number, "timeout_s": LONG_S}
    if patience_s is not None:
        fleet["churn"] = {"kind": "exponential", "lifetime_s": patience_s}
    return _world(cloud, fleet, {"kind": "drawn", "start_spread_s": requests / rate}, steps=1)


def closed(cloud: dict[str, Any], devices: int, think_s: float, requests: int) -> World:
    """Devices that think for `think_s` on the average, ask, and wait for the answer."""
    fleet = {"devices": devices, "timeout_s": LONG_S, "waiting": {"kind": "blocking", "deadline_ms": 1000 * LONG_S}}
    pace = {
        "kind": "drawn",
        "think_time_s": think_s * math.exp(-(SIGMA**2) / 2),
        "think_time_sigma": SIGMA,
        "session_length": 1e12,
        "start_spread_s": think_s,
    }
    return _world(cloud, fleet, pace, steps=-(-requests // devices))


def simulate(world: World, seed: int) -> Result:
    """Run the engine that scenarios run on. Raises `LedgerError` and `StalledError`."""
    return run(world, Always(), seed, Demand(world, _Blank(world.steps)))


def _world(cloud: dict[str, Any], fleet: dict[str, Any], pace: dict[str, Any], steps: int) -> World:
    return World(
        pace=_PACE.validate_python(pace),
        fleet=Fleet.model_validate(fleet),
        network=Network(rtt_ms=0, rtt_sigma=0, uplink_mbps=None, downlink_mbps=None),
        cloud=Cloud.model_validate({"queue_limit": None, **cloud}),
        users=np.array([0]),
        steps=np.array([steps]),
        first=np.array([0]),
        stamps=np.arange(steps, dtype=np.float64),
        answer_items=0,
    )
