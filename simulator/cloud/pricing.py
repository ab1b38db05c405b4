"""What a request costs at a busy cloud: a price that is told with every reply, and that devices may heed.

It integrates how far the load lies above its target, as links of a network do that steer their senders by prices alone:
p <- max(0, p + step * (load - target)) (Low and Lapsley, Optimization flow control I, IEEE/ACM Transactions on
Networking 7(6), 1999). On a rate that is a virtual queue, which drains at the target. A backlog integrates the rate
itself, and an integral of it alone would swing, so the excess of the moment is added (Athuraliya, Low, Li and Yin, REM,
IEEE Network 15(3), 2001; Hollot, Misra, Towsley and Gong, On designing improved controllers for AQM routers supporting
TCP flows, INFOCOM 2001). Both are counted in targets, so that a price is a pure number; see `simulator.policies.priced`
for what a device makes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from scenarios.schema.pricing import BacklogPricing, RatePricing
from simulator.clock import SECOND

CEILING = 4.0
"""Nothing is worth more by far: no more than 1/17 of any distribution lies four standard deviations above its mean
(Cantelli). An integral that went on would forbid asking long after the crowd has gone."""

FURTHEST = 1.5
"""Excess that counts at most, in targets. A queue that a crash left full at once would wind the integral up within
seconds, long before any device can have heeded it, and then silence all of them for minutes (anti-windup)."""


class Pricing(Protocol):
    """Told of every arrival and of every reply, in the order of time."""

    def arrived(self, now: int) -> None:
        """A request has come, and has been let in or not."""

    def price(self, now: int) -> float:
        """What the reply that is sent now tells."""


class RatePrice:
    """Each arrival adds to the price what the target takes away until the next is due."""

    def __init__(self, spec: RatePricing) -> None:
        self._fall = 1 / (spec.settle_s * SECOND)
        self._rise = 1 / (spec.settle_s * spec.target_per_s)
        self._price, self._then = 0.0, 0

    def arrived(self, now: int) -> None:
        """Rise, up to the ceiling."""
        self._price = min(self.price(now) + self._rise, CEILING)

    def price(self, now: int) -> float:
        """Fall since the last time."""
        self._price = max(self._price - (now - self._then) * self._fall, 0.0)
        self._then = now
        return self._price


class BacklogPrice:
    """The excess over the target, in targets and up to `FURTHEST`, and its integral.

    load: gives the requests present at a replica.
    """

    def __init__(self, spec: BacklogPricing, load: Callable[[], float]) -> None:
        self._target = spec.target
        self._load = load
        self._pace = 1 / (spec.settle_s * SECOND)
        self._excess, self._integral, self._then = -1.0, 0.0, 0

    def arrived(self, now: int) -> None:
        """Note the load of the time to come."""
        self._look(now)

    def price(self, now: int) -> float:
        """What is above the target now, and has been."""
        self._look(now)
        return min(max(self._excess + self._integral, 0.0), CEILING)

    def _look(self, now: int) -> None:
        grown = self._integral + self._excess * (now - self._then) * self._pace
        self._integral = min(max(grown, 0.0), CEILING)
        self._excess = min(self._load() / self._target - 1, FURTHEST)
        self._then = now


def pricing_of(spec: object, load: Callable[[], float]) -> Pricing | None:
    """What sets the price; None where replies tell none."""
    match spec:
        case RatePricing():
            return RatePrice(spec)
        case BacklogPricing():
            return BacklogPrice(spec, load)
    return None
