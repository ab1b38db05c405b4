"""Ask at every interaction: the most that requests can bring."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulator.policies.base import BoolArray, Family, Point, Policy, Reference, Sight


class Always(Policy):
    """Asks whenever no request is in flight."""

    @property
    def forgets(self) -> bool:
        """It does."""
        return True

    def asks(self, sight: Sight) -> BoolArray:
        """True at every step."""
        return np.ones(len(sight.steps), np.bool_)


class AlwaysFamily(Family):
    """Ask at every interaction."""

    kind: Literal["always"] = "always"

    def points(self, reference: Reference) -> list[Point]:
        """The one point."""
        return [Point(self.kind, None, Always())]
