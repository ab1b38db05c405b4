"""What stands over the store of outcomes and adds signals that no device could compute by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from models.outcomes import OutcomeStore
from scenarios.behaviour import IntArray


class Layer:
    """Passes everything on to a store, or to another layer; fulfils `simulator.outcomes.Outcomes`."""

    def __init__(self, below: OutcomeStore | Layer) -> None:
        self._below = below

    @property
    def steps(self) -> IntArray:
        """[users] replayed interactions of each user's stream."""
        return self._below.steps

    @property
    def answer_items(self) -> int:
        """Items in an answer of the cloud."""
        return self._below.answer_items

    def ensure(self, users: IntArray, cuts: IntArray, until: IntArray) -> None:
        """See `Outcomes`."""
        self._below.ensure(users, cuts, until)

    def signal(self, name: str, user: int, cut: int, start: int, stop: int) -> npt.NDArray[Any]:
        """See `Outcomes`."""
        return self._below.signal(name, user, cut, start, stop)

    def signals(
        self, name: str, users: IntArray, cuts: IntArray, starts: IntArray, stops: IntArray
    ) -> npt.NDArray[Any]:
        """See `Outcomes`."""
        runs = zip(*(each.tolist() for each in (users, cuts, starts, stops)), strict=True)
        return np.concatenate([self.signal(name, *run) for run in runs])

    def at(self, name: str) -> Callable[[int, int, int], float]:
        """A signal's look-up by (user, cut, step), for the live devices."""
        return lambda user, cut, step: float(self.signal(name, user, cut, step, step + 1)[0])

    def ranks(self, users: IntArray, cuts: IntArray, starts: IntArray, stops: IntArray) -> npt.NDArray[np.uint16]:
        """See `Outcomes`."""
        return self._below.ranks(users, cuts, starts, stops)

    @property
    def store(self) -> OutcomeStore:
        """The store below all."""
        return self._below.store

    def refresh(self) -> None:
        """Take over what other processes have made since."""
        self._below.refresh()

    def flush(self) -> None:
        """Keep on disk what was made since the last time."""
        self._below.flush()
