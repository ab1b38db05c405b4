"""Steer a threshold on any signal to a wanted rate of requests, on each device by itself.

After each interaction the threshold rises by (1 - rate) steps if the device asked there, and else falls by rate steps:
stochastic approximation of a quantile (Robbins and Monro, Annals of Mathematical Statistics 22(3), 1951), as used
online by Gibbs and Candes (arXiv 2106.00170) and by Angelopoulos, Candes and Tibshirani (arXiv 2307.16895), whose
Proposition 1 holds for any sequence of signals within a range b, drawn by whomever: after T interactions the share of
requests is within (b + step) / (step T) of the rate. That much holds where nothing keeps the device from asking.

A small step is a threshold that is constant; a large one asks every n-th interaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from scenarios.schema.base import Positive
from simulator.outcomes import FloatArray
from simulator.policies.base import BoolArray, Family, Memory, Point, Policy, Reference, Sight
from simulator.policies.values import Shares


@dataclass(frozen=True)
class Tracker(Policy):
    """Asks where `sign` times the signal reaches a threshold, begun at `start` and steered to `rate`, or where nothing
    is held. What it keeps: the threshold as it stood right after the latest request."""

    signal: str
    sign: float
    rate: float
    start: float
    step: float

    @property
    def signals(self) -> tuple[str, ...]:
        """The one."""
        return (self.signal,)

    @property
    def recalls(self) -> bool:
        """It does."""
        return True

    @property
    def memory(self) -> Memory:
        """The first threshold."""
        return (self.start,)

    def asks(self, sight: Sight) -> BoolArray:
        """True where the signal reaches the threshold; everywhere if nothing is held."""
        if sight.signals is None:
            return np.ones(len(sight.steps), np.bool_)
        return self.sign * sight.signals[self.signal] >= self._threshold(sight)

    def remember(self, sight: Sight) -> Memory:
        """Raise the threshold."""
        return (float(self._threshold(sight)[0]) + self.step * (1 - self.rate),)

    def _threshold(self, sight: Sight) -> FloatArray:
        quiet = sight.steps - sight.asked - 1
        return np.asarray(sight.memory[0] - self.step * self.rate * quiet)


class TrackerFamily(Family):
    """A threshold on a signal, steered to a rate of requests."""

    kind: Literal["tracker"] = "tracker"
    signal: str = "footrule"
    falling: bool = False
    """Whether the signal falls as a list grows stale: then its negative counts."""
    rate: Shares
    """Requests for each interaction of a device."""
    step: Positive = 0.2
    """By how much the threshold follows, in standard deviations of the signal on the validation part."""

    @property
    def signals(self) -> tuple[str, ...]:
        """The one."""
        return (self.signal,)

    def points(self, reference: Reference) -> list[Point]:
        """A point a rate, rising; the threshold begins where that share of the validation part would ask."""
        sign = -1.0 if self.falling else 1.0
        seen = sign * reference(self.signal)
        step = self.step * float(seen.std()) or self.step  # a signal that never changes gives no unit
        starts = {rate: float(np.quantile(seen, 1 - rate)) for rate in sorted(set(self.rate))}
        return [
            Point(f"{self.signal}-tracker", rate, Tracker(self.signal, sign, rate, start, step))
            for rate, start in starts.items()
        ]
