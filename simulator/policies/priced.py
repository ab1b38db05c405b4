"""Ask where it is worth the price that the cloud told with its latest reply (`cloud.pricing`).

A device that maximises what its requests are worth minus what they cost asks where the worth exceeds the price (Kelly,
Maulloo and Tan, Rate control for communication networks, Journal of the Operational Research Society 49(3), 1998). A
price of 1 stands for one standard deviation of the signal, so that it keeps as much out whichever signal is looked at.
A price heard long ago says little: it halves in `half_life_s`, is a third after twice that, and so on, so that devices
that a crowd has silenced come back one by one and hear how things are. Without a price this is a constant threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from scenarios.schema.base import Positive
from simulator.policies.base import BoolArray, Point, Policy, Reference, Sight
from simulator.policies.threshold import Cut


@dataclass(frozen=True)
class Priced(Policy):
    """Asks where `sign` times the signal reaches `threshold` and `unit` times the price on top, or nothing is held."""

    signal: str
    sign: float
    threshold: float
    unit: float
    half_life_s: float

    @property
    def signals(self) -> tuple[str, ...]:
        """The one."""
        return (self.signal,)

    @property
    def recalls(self) -> bool:
        """It does."""
        return True

    def asks(self, sight: Sight) -> BoolArray:
        """True where the signal is worth the price; everywhere if nothing is held."""
        if sight.signals is None:
            return np.ones(len(sight.steps), np.bool_)
        # No powers: these round otherwise for many steps at once than for one.
        price = sight.price / (1 + sight.since("priced") / self.half_life_s)
        return self.sign * sight.signals[self.signal] >= self.threshold + self.unit * price


class PricedFamily(Cut):
    """Ask where a signal reaches a threshold that rises with the price that the cloud tells."""

    kind: Literal["priced"] = "priced"
    signal: str = "footrule"
    falling: bool = False
    """Whether the signal falls as a list grows stale: then its negative counts, for thresholds and quantiles too."""
    half_life_s: Positive = 60.0
    """In which a price that was heard loses half. Assumed: a few interactions."""

    @property
    def signals(self) -> tuple[str, ...]:
        """The one."""
        return (self.signal,)

    def points(self, reference: Reference) -> list[Point]:
        """A point a threshold, rising; the parameter is the threshold also where a quantile was given."""
        sign = -1.0 if self.falling else 1.0
        unit = float(reference(self.signal).std()) or 1.0  # a signal that never changes gives no unit
        return [
            Point(f"{self.signal}-priced", value, Priced(self.signal, sign, value, unit, self.half_life_s))
            for value in self.values(((self.signal, sign),), reference)
        ]
