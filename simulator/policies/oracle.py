"""The oracle: asks where that is best in hindsight, at a price of a request. No device could: an upper bound for plots.

It knows what its user will take, and plans over all that is left of the stream (`models/oracle.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from simulator.policies.base import BoolArray, Family, Point, Policy, Reference, Sight
from simulator.policies.values import Levels


@dataclass(frozen=True)
class Oracle(Policy):
    """Asks where a plan that knows the future would, if a request cost `price` NDCG@10."""

    price: float

    @property
    def signals(self) -> tuple[str, ...]:
        """The one that says so."""
        return (f"oracle {self.price!r}",)

    def asks(self, sight: Sight) -> BoolArray:
        """True where the plan says so; everywhere if nothing is held."""
        if sight.signals is None:
            return np.ones(len(sight.steps), np.bool_)
        return sight.signals[self.signals[0]] > 0


class OracleFamily(Family):
    """Ask where that is best in hindsight: what no policy can do better; not deployable."""

    kind: Literal["oracle"] = "oracle"
    price: Levels
    """NDCG@10 that a request must bring over the rest of the stream. Below 0 it asks also where that brings nothing, so
    that the curve reaches to many requests; above, the less the dearer."""

    @property
    def signals(self) -> tuple[str, ...]:
        """One a price."""
        return tuple(Oracle(price).signals[0] for price in sorted(set(self.price)))

    def points(self, reference: Reference) -> list[Point]:
        """A point a price, rising."""
        return [Point(self.kind, price, Oracle(price)) for price in sorted(set(self.price))]
