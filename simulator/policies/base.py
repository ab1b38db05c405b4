"""The contract of a request policy: when does a device ask the cloud for a new list?

A policy is a pure predicate over a run of consecutive steps between two requests. The same predicate serves the fast
engine, which looks ahead over many steps at once, and the live engine, which asks it for one step at a time.

A policy may keep a few numbers on the device, which change at requests only; what they amount to in between follows
from steps and seconds. It may also hear from the cloud how busy that is: a price, told with every reply.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from scenarios.schema.base import Block
from simulator.outcomes import FloatArray, IntArray, SignalArray

BoolArray = npt.NDArray[np.bool_]
Memory = tuple[float, ...]
"""What a policy keeps on a device."""
Event = Literal["asked", "priced", "held"]
"""The latest request was sent; the price was heard; the list held was asked for."""


def _no_time(event: Event) -> FloatArray:
    raise ValueError(f"a policy that looks at the time since it {event} must say that it recalls")


class Sight(NamedTuple):
    """What a device can see when it decides, at each of a run of consecutive steps.

    steps: [n] the steps. asked: the step of its latest request, -1 if it never asked. What a policy that recalls not
    says of a step depends on nothing of other steps, so runs of many devices are looked at as one, one after the other:
    steps then belong to many, and asked is [n]. signals: name -> [n], for the
    list held, or None where nothing is held. coins: gives [n] uniform numbers in (0, 1), one a step, that belong to
    this device and to nobody else. Of a policy that recalls, also memory: what it keeps on this device; price: what the
    latest reply heard told, 0 before any; since: gives [n] seconds since an event, infinite where it never was.
    """

    steps: IntArray
    asked: int | IntArray
    signals: Mapping[str, SignalArray] | None
    coins: Callable[[], FloatArray]
    memory: Memory = ()
    price: float = 0.0
    since: Callable[[Event], FloatArray] = _no_time


@dataclass(frozen=True)
class Policy(ABC):
    """A request policy at one value of its parameter, as the engine uses it.

    Its `repr` says everything that its decisions depend on: cells of a sweep are told apart by it.
    """

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals that it looks at."""
        return ()

    @property
    def opens(self) -> bool:
        """Whether a device asks at its first interaction, when it holds nothing."""
        return True

    @property
    def forgets(self) -> bool:
        """Whether steps and coins alone decide: not the list held, and not when it asked before."""
        return False

    @property
    def recalls(self) -> bool:
        """Whether it looks at memory, price or time."""
        return False

    @property
    def memory(self) -> Memory:
        """What a device keeps before its first request; nothing is ever remembered where this is empty."""
        return ()

    @abstractmethod
    def asks(self, sight: Sight) -> BoolArray:
        """[n] at which of the steps a device asks, given that it did not ask at an earlier one of them."""

    def remember(self, sight: Sight) -> Memory:
        """What a device keeps from its request at the one step of this sight on."""
        return sight.memory


@dataclass(frozen=True)
class Point:
    """One point of a curve: a policy, its name and the value of its parameter (None where it has none)."""

    name: str
    parameter: float | None
    policy: Policy


class Reference(Protocol):
    """A signal's usual values, sorted; thresholds given as quantiles are read off these."""

    def __call__(self, signal: str, /, *, of_replay: bool = False) -> npt.NDArray[np.float64]:
        """On the validation part; on the part that is judged on only where released code is reproduced."""


class Family(Block, ABC):
    """What a scenario says of a policy: its kind and the values of its parameter."""

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals that its points look at."""
        return ()

    @abstractmethod
    def points(self, reference: Reference) -> list[Point]:
        """The points of the curve, in the order of the parameter."""
