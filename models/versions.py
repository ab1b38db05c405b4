"""Versions of a device's model over the same streams: the outcomes of version k are those of user + k * users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.layer import Layer
from models.outcomes import OutcomeStore
from scenarios.behaviour import IntArray


class Versions:
    """One store of outcomes for each version, as one; fulfils `simulator.outcomes.Outcomes`."""

    def __init__(self, stores: Sequence[OutcomeStore | Layer | Versions]) -> None:
        self._stores = list(stores)
        self._users = len(self._stores[0].steps)

    @property
    def steps(self) -> IntArray:
        """[versions * users] replayed interactions of each user's stream."""
        return np.tile(self._stores[0].steps, len(self._stores))

    @property
    def answer_items(self) -> int:
        """Items in an answer of the cloud."""
        return self._stores[0].answer_items

    def ensure(self, users: IntArray, cuts: IntArray, until: IntArray) -> None:
        """See `Outcomes`. What is asked for of the first version is made of all: any of them may be there by then."""
        version = users // self._users
        for k, store in enumerate(self._stores):
            some = (version == k) | (version == 0)
            if some.any():
                store.ensure(users[some] % self._users, cuts[some], until[some])

    def signal(self, name: str, user: int, cut: int, start: int, stop: int) -> npt.NDArray[Any]:
        """See `Outcomes`."""
        version, of = divmod(user, self._users)
        return self._stores[version].signal(name, of, cut, start, stop)

    def signals(
        self, name: str, users: IntArray, cuts: IntArray, starts: IntArray, stops: IntArray
    ) -> npt.NDArray[Any]:
        """See `Outcomes`."""
        return self._over_all(
            users, cuts, starts, stops, lambda store, *runs: store.signals(name, *runs), np.dtype(np.float64)
        )

    def ranks(self, users: IntArray, cuts: IntArray, starts: IntArray, stops: IntArray) -> npt.NDArray[np.uint16]:
        """See `Outcomes`."""
        return self._over_all(users, cuts, starts, stops, lambda store, *runs: store.ranks(*runs), np.dtype(np.uint16))

    def _over_all(
        self,
        users: IntArray,
        cuts: IntArray,
        starts: IntArray,
        stops: IntArray,
        read: Callable[..., npt.NDArray[Any]],
        dtype: np.dtype[Any],
    ) -> npt.NDArray[Any]:
        """What each run's own version says, one run after the other."""
        version, lengths = users // self._users, stops - starts
        values = np.zeros(int(lengths.sum()), dtype)
        for k, store in enumerate(self._stores):
            mine = version == k
            if mine.any():
                found = read(store, users[mine] % self._users, cuts[mine], starts[mine], stops[mine])
                values[np.repeat(mine, lengths)] = found
        return values

    def refresh(self) -> None:
        """Take over what other processes have made since."""
        for store in self._stores:
            store.refresh()

    def flush(self) -> None:
        """Keep on disk what was made since the last time."""
        for store in self._stores:
            store.flush()
