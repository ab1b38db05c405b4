"""The contract of a request policy: when does a device ask the cloud for a new list?

A policy is a pure predicate over a run of consecutive steps between two requests. The same predicate serves the fast
engine, which looks ahead over many steps at once, and the live engine, which asks it for one step at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from scenarios.schema.base import Block
from simulator.outcomes import IntArray, SignalArray

BoolArray = npt.NDArray[np.bool_]


class Sight(NamedTuple):
    """What a device can see when it decides, at each of a run of consecutive steps.

    steps: [n] the steps. asked: the step of its latest request, -1 if it never asked. signals: name -> [n], for the
    list held, or None where nothing is held. coins: gives [n] uniform numbers in (0, 1), one a step, that belong to
    this device and to nobody else.
    """

    steps: IntArray
    asked: int
    signals: Mapping[str, SignalArray] | None
    coins: Callable[[], npt.NDArray[np.float64]]


class Policy(ABC):
    """A request policy at one value of its parameter, as the engine uses it."""

    signals: ClassVar[tuple[str, ...]] = ()
    """Names of the signals that it looks at."""
    opens: ClassVar[bool] = True
    """Whether a device asks at its first interaction, when it holds nothing."""

    @abstractmethod
    def asks(self, sight: Sight) -> BoolArray:
        """[n] at which of the steps a device asks, given that it did not ask at an earlier one of them."""


@dataclass(frozen=True)
class Point:
    """One point of a curve: a policy, its name and the value of its parameter (None where it has none)."""

    name: str
    parameter: float | None
    policy: Policy


Reference = Callable[[str], npt.NDArray[np.float64]]
"""Signal name -> its values on the validation part, sorted; thresholds given as quantiles are read off these."""


class Family(Block, ABC):
    """What a scenario says of a policy: its kind and the values of its parameter."""

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals that its points look at."""
        return ()

    @abstractmethod
    def points(self, reference: Reference) -> list[Point]:
        """The points of the curve, in the order of the parameter."""
