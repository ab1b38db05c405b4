"""Ask where a signal, or a weighted sum of signals, reaches a threshold.

Any of `models/signals/` and `models/learned/`, and `seconds`, the age of the list held by the device's clock, which no
model knows. A signal that falls as a list grows stale takes a negative weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from simulator.outcomes import FloatArray
from simulator.policies.base import BoolArray, Family, Point, Policy, Reference, Sight
from simulator.policies.values import Levels, Shares

SECONDS = "seconds"
"""Seconds since the list held was asked for."""


@dataclass(frozen=True)
class Threshold(Policy):
    """Asks where the weighted sum is at least `threshold`, and where nothing is held. weights: (signal, weight)."""

    weights: tuple[tuple[str, float], ...]
    threshold: float

    @property
    def signals(self) -> tuple[str, ...]:
        """Those that have a weight, but for the time."""
        return tuple(name for name, _ in self.weights if name != SECONDS)

    @property
    def recalls(self) -> bool:
        """Whether the time has a weight."""
        return SECONDS in dict(self.weights)

    def asks(self, sight: Sight) -> BoolArray:
        """True where the sum reaches the threshold; everywhere if nothing is held."""
        if sight.signals is None:
            return np.ones(len(sight.steps), np.bool_)
        total: FloatArray = np.zeros(len(sight.steps))
        for name, weight in self.weights:
            values = sight.since("held") if name == SECONDS else sight.signals[name].astype(np.float64)
            total += weight * values
        return total >= self.threshold


class Cut(Family):
    """Where to cut a signal: give either of the two keys."""

    threshold: Levels | None = None
    """From which on a device asks."""
    quantile: Shares | None = None
    """The same as a quantile of what is seen on the validation part, over lists of all ages: 0.9 asks at about a tenth
    of the steps."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Cut:
        if (self.threshold is None) == (self.quantile is None):
            raise ValueError("give either threshold or quantile")
        return self

    def cuts(self, name: str, weights: tuple[tuple[str, float], ...], reference: Reference) -> list[Point]:
        """A point a threshold, rising; the parameter is the threshold also where a quantile was given."""
        return [Point(name, value, Threshold(weights, value)) for value in self.values(weights, reference)]

    def values(self, weights: tuple[tuple[str, float], ...], reference: Reference) -> list[float]:
        """The thresholds, rising."""
        if self.threshold is not None:
            return sorted(set(self.threshold))
        ((signal, weight),) = weights
        return sorted(set(np.quantile(weight * reference(signal), np.asarray(self.quantile)).tolist()))


class ReleasedCut(Cut):
    """A cut that released code reads off the part that it is judged on, where it can be had so as well."""

    quantile_of: Literal["validation", "replay"] = "validation"
    """Of which part `quantile` is; `replay`, the part that is judged on, is what the released code does."""

    def cuts(self, name: str, weights: tuple[tuple[str, float], ...], reference: Reference) -> list[Point]:
        """See `Cut.cuts`. The name tells what was read off the replay."""
        if self.quantile is None or self.quantile_of == "validation":
            return super().cuts(name, weights, reference)
        return super().cuts(f"{name}-of-replay", weights, partial(reference, of_replay=True))


class ThresholdFamily(Cut):
    """Ask where a signal, or a weighted sum of signals, reaches a threshold."""

    kind: Literal["threshold"] = "threshold"
    signal: str | None = None
    """One signal, or seconds; give either this or `weights`."""
    weights: Annotated[dict[str, float], Field(min_length=1)] | None = None
    """Signal to its weight in the sum."""

    @model_validator(mode="after")
    def _signal_or_weights(self) -> ThresholdFamily:
        if (self.signal is None) == (self.weights is None):
            raise ValueError("give either signal or weights")
        if self.weights is not None and len(self.weights) > 1 and self.quantile is not None:
            raise ValueError("a sum of several signals has no quantile of its own; give its threshold")
        if self.quantile is not None and self._weights[0][0] == SECONDS:
            raise ValueError("seconds have no quantile on the validation part, which has no clock; give a threshold")
        return self

    @property
    def signals(self) -> tuple[str, ...]:
        """Those that have a weight, but for the time."""
        return tuple(name for name, _ in self._weights if name != SECONDS)

    @property
    def _weights(self) -> tuple[tuple[str, float], ...]:
        if self.weights is None:
            assert self.signal is not None
            return ((self.signal, 1.0),)
        return tuple(sorted(self.weights.items()))

    def points(self, reference: Reference) -> list[Point]:
        """See `Cut.cuts`. The name tells the signal, and the weights of a sum."""
        weights = self._weights
        name = "+".join(each if weight == 1 else f"{weight:g}*{each}" for each, weight in weights)
        return self.cuts(name, weights, reference)
