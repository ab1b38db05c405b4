"""The oracle: a signal that no device could compute, for it knows what the user will take next.

At a price of p NDCG@10 a request, when is asking worth it? For each user the best plan over all the steps that are left
follows backwards from the last (dynamic programming; Bellman 1957). With V(c, t) the most that the steps from t on can
bring where the list held was made at cut c, r(c, t) the NDCG@10 shown at t, and answers that arrive at once:

    V(c, t) = max(r(c, t) + V(c, t + 1),  r(t, t) - p + V(t, t + 1))

The signal is 1 where the second is the larger, else 0. No policy brings more for the requests that this one makes where
answers come at once: it maximises accuracy minus p a request, so each p gives a point of the upper hull. With delays it
still plans from each state that it gets into, but as if its next answer came at once, so it is no strict bound there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.layer import Layer
from models.outcomes import OutcomeStore
from scenarios.behaviour import IntArray

PREFIX = "oracle "
"""A signal's name is this and the price."""


class Oracle(Layer):
    """A store of outcomes that also knows the oracle's signals.

    signals: names, each `PREFIX` and a price in NDCG@10 a request.
    """

    def __init__(self, below: OutcomeStore | Layer, signals: Sequence[str]) -> None:
        super().__init__(below)
        self._names = tuple(signals)
        self._prices = {name: float(name.removeprefix(PREFIX)) for name in signals}
        self._worth: dict[tuple[str, int], npt.NDArray[np.bool_]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which plans anew."""
        return {**self.__dict__, "_worth": {}}

    def ensure(self, users: IntArray, cuts: IntArray, until: IntArray) -> None:
        """See `Outcomes`; every list to the end of its stream, since a plan looks at all of them."""
        users = np.unique(users)
        users = users[[(name, user) not in self._worth for user in users.tolist() for name in self._names[:1]]]
        rows = np.repeat(users, self.steps[users])
        ends = np.cumsum(self.steps[users])
        every = np.arange(len(rows)) - np.repeat(ends - self.steps[users], self.steps[users])
        self._below.ensure(rows, every, self.steps[rows])
        self._below.ensure(users, np.full_like(users, -1), self.steps[users])

    def signal(self, name: str, user: int, cut: int, start: int, stop: int) -> npt.NDArray[Any]:
        """See `Outcomes`."""
        if name not in self._prices:
            return self._below.signal(name, user, cut, start, stop)
        if (name, user) not in self._worth:
            self._plan(user)
        return self._worth[name, user][cut, start:stop].astype(np.float32)

    def _plan(self, user: int) -> None:
        """The signals of all prices for one user."""
        steps = int(self.steps[user])
        self.ensure(np.array([user]), np.array([0]), np.array([steps]))
        cuts = np.arange(steps)
        whose = np.full(steps, user)
        ranks = self._below.ranks(whose, cuts, cuts, np.full(steps, steps)).astype(np.float64)
        worth = np.zeros((steps, steps))
        worth[np.triu_indices(steps)] = np.where((ranks >= 1) & (ranks <= 10), 1 / np.log2(1 + np.maximum(ranks, 1)), 0)
        for name, price in self._prices.items():
            self._worth[name, user] = plan(worth, price)


def plan(worth: npt.NDArray[np.float64], price: float) -> npt.NDArray[np.bool_]:
    """([T, T] accuracy by cut and step, price of a request) -> [T, T] whether asking brings more than not asking.

    Only steps after the cut count; at its own step a list is fresh.
    """
    steps = len(worth)
    found = np.zeros((steps, steps), np.bool_)
    later = np.zeros(steps)  # V(cut, step + 1), for all cuts
    for step in range(steps - 1, -1, -1):
        keep = worth[: step + 1, step] + later[: step + 1]
        asked = keep[step] - price
        found[: step + 1, step] = asked > keep
        later[: step + 1] = np.maximum(keep, asked)
    return found
