"""What the devices showed, read from the request log: runs of steps with one list, and the ranks at all of them.

Nothing here grows with the number of interactions: whole devices are looked up, some millions of interactions at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.outcomes import NOTHING, IntArray
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


def shown(world: World, log: Mapping[str, IntArray], lived: IntArray, ranks: Ranks) -> Iterator[Shown]:
    """All devices, in pieces. lived: [devices] interactions."""
    device, cut, start, stop = _runs(world, log, lived)
    ends = np.cumsum(lived)
    first = 0
    while first < world.devices:
        before = int(ends[first] - lived[first])
        until = max(int(np.searchsorted(ends, before + BATCH, side="right")), first + 1)
        begin, end = np.searchsorted(device, (first, until))
        if begin < end:
            part = device[begin:end], cut[begin:end], start[begin:end], stop[begin:end]
            yield Shown(first, until, *part, ranks(*part))
        first = until


def _runs(world: World, log: Mapping[str, IntArray], lived: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """(device, cut, start, stop) of all runs of steps shown with one list, by device and step."""
    n = world.devices
    applied = np.flatnonzero(log["applied"] >= 0)
    device = np.concatenate([np.arange(n), log["device"][applied]])
    cut = np.concatenate([np.full(n, NOTHING), log["cut"][applied]])
    start = np.concatenate([np.zeros(n, np.int64), log["applied"][applied]])
    order = np.lexsort((cut, start, device))
    device, cut, start = device[order], cut[order], start[order]
    stop = np.append(start[1:], 0)
    last = np.append(np.diff(device) > 0, True)
    stop[last] = lived
    some = stop > start  # a list that comes for the very first step leaves nothing to its forerunner
    return device[some], cut[some], start[some], stop[some]
