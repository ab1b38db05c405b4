"""Ask by the toss of a coin: the baseline that a rule must beat at the same number of requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulator.policies.base import BoolArray, Family, Point, Policy, Reference, Sight
from simulator.policies.values import Shares


@dataclass(frozen=True)
class Random(Policy):
    """Asks with this probability. Coins belong to steps, so that a higher probability only adds steps."""

    probability: float

    @property
    def forgets(self) -> bool:
        """It does."""
        return True

    def asks(self, sight: Sight) -> BoolArray:
        """True where the step's coin lies below the probability."""
        return sight.coins() < self.probability


class RandomFamily(Family):
    """Ask with a probability at each interaction."""

    kind: Literal["random"] = "random"
    probability: Shares

    def points(self, reference: Reference) -> list[Point]:
        """A point a probability, rising."""
        return [Point(self.kind, p, Random(p)) for p in sorted(set(self.probability))]
