"""Ask every n-th interaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulator.policies.base import BoolArray, Family, Point, Policy, Reference, Sight
from simulator.policies.values import Counts


@dataclass(frozen=True)
class Periodic(Policy):
    """Asks once this many interactions have passed since the latest request, answered or not."""

    every: int

    def asks(self, sight: Sight) -> BoolArray:
        """True from `every` steps after the latest request on."""
        return sight.steps - sight.asked >= self.every


class PeriodicFamily(Family):
    """Ask every n-th interaction."""

    kind: Literal["periodic"] = "periodic"
    every: Counts

    def points(self, reference: Reference) -> list[Point]:
        """A point a period, rising."""
        return [Point(self.kind, n, Periodic(n)) for n in sorted(set(self.every))]
