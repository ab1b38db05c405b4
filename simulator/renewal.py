"""Things that are on and off by turns, each for an exponential time: a device's network, a region's outages.

What is on when is a function of (seed, purpose, owner) alone, made as far as somebody has looked; who looks, and in
what order, changes nothing. It starts in its long-run state: on with probability on / (on + off), and as exponential
times have no memory, the first change is drawn like all others.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from simulator.clock import SECOND
from simulator.draws import uniform, uniforms

FIRST_LOOK = 16
"""Changes made at first; then as many again as there are."""


class OnOff:
    """An on-off process for each owner; mean times in seconds."""

    def __init__(self, on_s: float, off_s: float, seed: int, purpose: str) -> None:
        self._mean = np.array([off_s, on_s]) * SECOND
        self._share = on_s / (on_s + off_s)
        self._seed = seed
        self._purpose = purpose
        self._changes: dict[int, list[int]] = {}
        self._begins_on: dict[int, bool] = {}

    def is_on(self, owner: int, time: int) -> bool:
        """Whether it is on at a tick."""
        past = bisect_right(self._until(owner, time), time)
        return self._begins_on[owner] ^ bool(past & 1)

    def next_change(self, owner: int, time: int) -> int:
        """The first tick after this one from which it is the other way round."""
        changes = self._until(owner, time)
        return changes[bisect_right(changes, time)]

    def _until(self, owner: int, time: int) -> list[int]:
        """Ticks of all changes until `time`, and of one after it at least."""
        changes = self._changes.get(owner)
        if changes is None:
            changes = self._changes[owner] = []
            self._begins_on[owner] = uniform(self._seed, self._purpose, owner, 0) < self._share
        while not changes or changes[-1] <= time:
            self._look_further(owner, changes)
        return changes

    def _look_further(self, owner: int, changes: list[int]) -> None:
        number = len(changes) + np.arange(max(len(changes), FIRST_LOOK))
        mean = self._mean[(number + self._begins_on[owner]) & 1]
        lengths = -mean * np.log(uniforms(self._seed, self._purpose, owner, number + 1))
        whole = np.maximum(np.rint(lengths), 1).astype(np.int64)
        whole[0] += changes[-1] if changes else 0
        changes.extend(np.cumsum(whole).tolist())
