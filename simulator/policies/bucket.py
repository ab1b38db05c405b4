"""A budget on top of any rule: a device asks where the rule says so and a token is there.

The bucket fills steadily and starts full. Instead of tokens it keeps for how long it will not be full (the generic cell
rate algorithm, ITU-T I.371), so that periods that are whole numbers are never rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import model_validator

from scenarios.errors import ScenarioError
from scenarios.schema.base import Count
from simulator.outcomes import FloatArray
from simulator.policies.base import BoolArray, Family, Memory, Point, Policy, Reference, Sight
from simulator.policies.values import Rates

if TYPE_CHECKING:
    from simulator.policies import Rule

HOUR_S = 3600.0


@dataclass(frozen=True)
class Bucket(Policy):
    """Asks where `rule` does, at most `burst` times at once and once a `period` in the long run.

    period: interactions, or seconds where `timed`. What it keeps: how long after the latest request the bucket is full
    again, in these units, and what the rule keeps.
    """

    rule: Policy
    period: float
    burst: int
    timed: bool

    @property
    def signals(self) -> tuple[str, ...]:
        """The rule's."""
        return self.rule.signals

    @property
    def opens(self) -> bool:
        """As the rule does."""
        return self.rule.opens

    @property
    def recalls(self) -> bool:
        """It does."""
        return True

    @property
    def memory(self) -> Memory:
        """A full bucket."""
        return (0.0, *self.rule.memory)

    def asks(self, sight: Sight) -> BoolArray:
        """True where the rule asks and a token is there."""
        there = self._until_full(sight) <= (self.burst - 1) * self.period
        return self.rule.asks(self._inside(sight)) & there

    def remember(self, sight: Sight) -> Memory:
        """Take a token."""
        return (float(self._until_full(sight)[0]) + self.period, *self.rule.remember(self._inside(sight)))

    def _until_full(self, sight: Sight) -> FloatArray:
        passed = sight.since("asked") if self.timed else sight.steps - sight.asked
        return np.maximum(sight.memory[0] - passed, 0.0)

    def _inside(self, sight: Sight) -> Sight:
        return sight._replace(memory=sight.memory[1:])


class BucketFamily(Family):
    """Any rule, within a budget of requests for each device; give either of the two rates."""

    kind: Literal["bucket"] = "bucket"
    rule: Rule
    """What asks; of one value."""
    per_interaction: Rates | None = None
    """Tokens that come with an interaction: 0.1 is one every tenth."""
    per_hour: Rates | None = None
    """Tokens that come in an hour."""
    burst: Count = 3
    """Tokens in a full bucket, as it is at the start. Assumed."""

    @model_validator(mode="after")
    def _one_of_two(self) -> BucketFamily:
        if (self.per_interaction is None) == (self.per_hour is None):
            raise ValueError("give either per_interaction or per_hour")
        return self

    @property
    def signals(self) -> tuple[str, ...]:
        """The rule's."""
        return self.rule.signals

    def points(self, reference: Reference) -> list[Point]:
        """A point a rate, rising. Raises `ScenarioError` for a rule of more than one value."""
        inside = self.rule.points(reference)
        if len(inside) != 1:
            raise ScenarioError(
                f"sweep.policies: bucket: the rule {self.rule.kind} has {len(inside)} values, expected one: the points "
                "of the curve are the rates"
            )
        (rule,) = inside
        timed, rates = self.per_interaction is None, self.per_interaction or self.per_hour or ()
        unit = HOUR_S if timed else 1.0
        return [
            Point(f"{rule.name}-bucket", rate, Bucket(rule.policy, unit / rate, self.burst, timed))
            for rate in sorted(set(rates))
        ]
