"""Which replicas there are, and what each is about; every change is on record."""

from __future__ import annotations

import numpy as np

from simulator.clock import Clock
from simulator.outcomes import IntArray

STATES = ("loading", "up", "down", "draining")
"""Loading its model. Up: it takes work. Down: crashed. Draining: it does what it has and takes no more."""
LOADING, UP, DOWN, DRAINING = range(len(STATES))


class Replicas:
    """States by replica; a replica without one is not there."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[int, int] = {}
        self._past: list[tuple[int, int, int, int]] = []
        self.state: dict[int, int] = {}
        self.up: list[int] = []
        """Those that take work, lowest first."""
        self.entries: dict[int, int] = {}
        """How often each has changed its state."""

    def enter(self, replica: int, state: int) -> None:
        """A replica comes, or changes its state."""
        self._close(replica)
        self.state[replica] = state
        self._since[replica] = self._clock.tick
        self.up = sorted(r for r, s in self.state.items() if s == UP)

    def leave(self, replica: int) -> None:
        """A replica goes."""
        self._close(replica)
        del self.state[replica], self._since[replica]
        self.up = sorted(r for r, s in self.state.items() if s == UP)

    def wanted(self) -> list[int]:
        """Those that take work or will, lowest first."""
        return sorted(r for r, s in self.state.items() if s != DRAINING)

    def shifts(self, end: int) -> dict[str, IntArray]:
        """Column -> [intervals]: replica, state, since, until; what lasts longer is taken to last until `end`."""
        rows = self._past + [(r, s, self._since[r], end) for r, s in self.state.items()]
        rows = [(r, s, since, min(until, end)) for r, s, since, until in rows if since <= end]
        table = np.array(sorted(rows, key=lambda row: (row[0], row[2], row[3])), np.int64).reshape(-1, 4)
        return {name: table[:, i].copy() for i, name in enumerate(("replica", "state", "since", "until"))}

    def _close(self, replica: int) -> None:
        self.entries[replica] = self.entries.get(replica, 0) + 1
        if replica in self.state:
            self._past.append((replica, self.state[replica], self._since[replica], self._clock.tick))
