"""What the devices showed, read from the request log: runs of steps with one list, and the ranks at all of them.

Nothing here grows with the number of interactions: whole devices are looked up, about a million interactions at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.outcomes import NOTHING, IntArray
from simulator.records import Log
from simulator.world import World

BATCH = 1 << 20
"""Interactions looked up at once, unless one device has more."""

Ranks = Callable[[IntArray, IntArray, IntArray, IntArray], npt.NDArray[np.integer]]
"""(device, cut, start, stop) of runs of steps -> the ranks at all of them, one run after the other."""


@dataclass(frozen=True)
class Shown:
    """What devices first .. until - 1 showed.

    device, cut, start, stop: [runs] of steps shown with one list, by device and step; together they are all that these
    devices lived through. ranks: [interactions] one run after the other.
    """

    first: int
    until: int
    device: IntArray
    cut: IntArray
    start: IntArray
    stop: IntArray
    ranks: npt.NDArray[np.integer]

    @property
    def lengths(self) -> IntArray:
        """[runs] steps of each."""
        return self.stop - self.start


def shown(world: World, log: Log, lived: IntArray, ranks: Ranks) -> Iterator[Shown]:
    """All devices, in pieces. lived: [devices] interactions."""
    ends = np.cumsum(lived)
    first, runs = 0, np.zeros((4, 0), np.int64)
    for begin, end, part in log.by_device():
        runs = np.append(runs, _runs(begin, part, lived[begin:end]), axis=1)
        while first < end:
            before = int(ends[first] - lived[first])
            until = max(int(np.searchsorted(ends, before + BATCH, side="right")), first + 1)
            if until > end:
                break  # the next stretch of the log has more of this piece
            here, runs = np.split(runs, [np.searchsorted(runs[0], until)], axis=1)
            if here.size:
                device, cut, start, stop = here
                yield Shown(first, until, device, cut, start, stop, ranks(device, cut, start, stop))
            first = until


def _runs(first: int, log: Mapping[str, IntArray], lived: IntArray) -> IntArray:
    """[device, cut, start, stop] of all runs of steps shown with one list, by device and step, of these devices."""
    n = len(lived)
    applied = np.flatnonzero(log["applied"] >= 0)
    device = np.concatenate([np.arange(first, first + n), log["device"][applied]])
    cut = np.concatenate([np.full(n, NOTHING), log["cut"][applied]])
    start = np.concatenate([np.zeros(n, np.int64), log["applied"][applied]])
    order = np.lexsort((cut, start, device))
    device, cut, start = device[order], cut[order], start[order]
    stop = np.append(start[1:], 0)
    last = np.append(np.diff(device) > 0, True)
    stop[last] = lived
    some = stop > start  # a list that comes for the very first step leaves nothing to its forerunner
    return np.stack([device[some], cut[some], start[some], stop[some]])
