"""Ask where the two models disagree: the request rule of LSC4Rec (arXiv 2501.05647), for each device by itself.

The signal `footrule` is the mean absolute displacement between the list in the LLM's order and in the SRM's order
(Spearman's footrule over the items in the list). A device asks where it reaches the threshold. The paper's released
code applies the rule to batches of 16 users at once and takes its threshold from the test set; here each device decides
for itself, and a quantile is read off the validation part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import model_validator

from simulator.policies.base import BoolArray, Family, Point, Policy, Reference, Sight
from simulator.policies.values import Shares, Thresholds

SIGNAL = "footrule"


@dataclass(frozen=True)
class Footrule(Policy):
    """Asks where the displacement is at least `threshold`, and where nothing is held."""

    threshold: float

    signals: ClassVar[tuple[str, ...]] = (SIGNAL,)

    def asks(self, sight: Sight) -> BoolArray:
        """True where the displacement reaches the threshold; everywhere if nothing is held."""
        if sight.signals is None:
            return np.ones(len(sight.steps), np.bool_)
        # A numpy scalar: against a Python float the comparison would be made in the signal's own, shorter type.
        return sight.signals[SIGNAL] >= np.float64(self.threshold)


class FootruleFamily(Family):
    """Ask where the LLM's and the SRM's order of the list differ by a threshold; give either of the two keys."""

    kind: Literal["footrule"] = "footrule"
    threshold: Thresholds | None = None
    """Mean displacement, in places of the list, from which on a device asks."""
    quantile: Shares | None = None
    """The same as a quantile of the displacements seen on the validation part: 0.9 asks at about a tenth of steps."""

    @model_validator(mode="after")
    def _one_of_two(self) -> FootruleFamily:
        if (self.threshold is None) == (self.quantile is None):
            raise ValueError("give either threshold or quantile")
        return self

    @property
    def signals(self) -> tuple[str, ...]:
        """The footrule."""
        return Footrule.signals

    def points(self, reference: Reference) -> list[Point]:
        """A point a threshold, rising; the parameter is the threshold also where a quantile was given."""
        values = self.threshold
        if values is None:
            values = tuple(np.quantile(reference(SIGNAL), np.asarray(self.quantile)).tolist())
        return [Point(self.kind, value, Footrule(value)) for value in sorted(set(values))]
