"""How many of something there are over time, from when each begins and ends."""

from __future__ import annotations

import numpy as np

from simulator.outcomes import IntArray


class Counts:
    """How many of each of several sets of intervals hold over time, a stretch of it after the other."""

    def __init__(self, sets: int) -> None:
        self._edges = [np.zeros(0, np.int64) for _ in range(2 * sets)]
        """Of each set, begins and ends that have not been told of."""
        self._held = [0] * sets

    def add(self, which: int, begin: IntArray, end: IntArray) -> None:
        """More intervals of a set; begins and ends may come apart, but each before its time is told of."""
        for place, more in ((2 * which, begin), (2 * which + 1, end)):
            self._edges[place] = np.append(self._edges[place], more)

    def until(self, moment: int) -> tuple[IntArray, list[IntArray]]:
        """(times before this moment and after the last told of, rising; for each set how many of its intervals hold
        from each of these times to the next)."""
        parts = []
        for place, edge in enumerate(self._edges):
            edge.sort()
            now, later = np.split(edge, [np.searchsorted(edge, moment)])
            parts.append(now)
            self._edges[place] = later.copy()
        time = np.concatenate(parts)
        kind = np.repeat(np.arange(len(parts), dtype=np.int8), [len(part) for part in parts])
        order = np.argsort(time, kind="stable")
        time, kind = time[order], kind[order]
        last = np.append(time[1:] > time[:-1], np.ones(min(len(time), 1), np.bool_))  # the state that lasts
        counts = []
        for n, before in enumerate(self._held):
            change = (kind == 2 * n).astype(np.int32)
            change -= kind == 2 * n + 1
            held = before + np.cumsum(change)
            self._held[n] = int(held[-1]) if len(held) else before
            counts.append(held[last])
        return time[last], counts
