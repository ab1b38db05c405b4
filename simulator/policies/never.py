"""Never ask: the device alone."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulator.policies.base import BoolArray, Family, Point, Policy, Reference, Sight


class Never(Policy):
    """Asks at no interaction, not even the first."""

    opens = False

    def asks(self, sight: Sight) -> BoolArray:
        """False at every step."""
        return np.zeros(len(sight.steps), np.bool_)


class NeverFamily(Family):
    """Never ask the cloud."""

    kind: Literal["never"] = "never"

    def points(self, reference: Reference) -> list[Point]:
        """The one point."""
        return [Point(self.kind, None, Never())]
