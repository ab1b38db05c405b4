"""How good the lists were that each device showed: the outcomes along the path that the run took.

The request log says which answer each device held at which steps; the outcomes say what that was worth. NDCG of one
true item at rank r is 1 / log2(r + 1), as in Jarvelin and Kekalainen (2002) with one relevant item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from simulator.clock import SECOND
from simulator.outcomes import NOTHING, FloatArray, IntArray
from simulator.world import World

K = 10
"""Length of the list that accuracy is measured on."""
BATCH = 1 << 22
"""Interactions looked up at once."""

Ranks = Callable[[IntArray, IntArray, IntArray, IntArray], npt.NDArray[np.integer]]
"""(device, cut, start, stop) of runs of steps -> the ranks at all of them, one run after the other."""


def _worth(longest: int = 1 << 16) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Hit, NDCG and reciprocal rank by rank; 0 for rank 0, not shown."""
    rank = np.arange(longest, dtype=np.float64)
    hit = ((rank >= 1) & (rank <= K)).astype(np.float64)
    return hit, hit / np.log2(np.maximum(rank, 1) + 1), np.where(rank > 0, 1 / np.maximum(rank, 1), 0.0)


def device_table(
    world: World, log: Mapping[str, IntArray], lived: IntArray, waited: IntArray, held_back: IntArray, ranks: Ranks
) -> pd.DataFrame:
    """The device table of docs/design.md, but for energy.

    lived: [devices] interactions. waited: [devices] ticks. held_back: [devices] requests that a breaker held back.
    """
    n = world.devices
    device, cut, start, stop = _segments(world, log, lived)
    length = stop - start
    held = cut != NOTHING
    age = np.where(held, length * (start - cut) + length * (length - 1) // 2, 0)
    sums = {name: np.zeros(len(device)) for name in ("hits_at_10", "ndcg_at_10", "reciprocal_rank")}
    tables = _worth()
    ends = np.cumsum(length)
    begin = 0
    while begin < len(device):
        reach = ends[begin] - length[begin] + BATCH
        end = max(int(np.searchsorted(ends, reach, side="right")), begin + 1)
        part = slice(begin, end)
        rank = ranks(device[part], cut[part], start[part], stop[part])
        places = np.cumsum(length[part]) - length[part]
        for total, table in zip(sums.values(), tables, strict=True):
            total[part] = np.add.reduceat(table[rank], places)
        begin = end
    first = log["attempt"] == 1

    def by_device(values: npt.NDArray[np.integer] | FloatArray) -> FloatArray:
        return np.bincount(device, weights=values, minlength=n).astype(np.float64)

    def bytes_of(way: str) -> IntArray:
        return np.bincount(log["device"], weights=log[way], minlength=n).astype(np.int64)

    return pd.DataFrame(
        {
            "device": np.arange(n),
            "user": world.device_users,
            "interactions": lived,
            "requests": np.bincount(log["device"][first], minlength=n),
            "attempts": np.bincount(log["device"], minlength=n),
            "held_back": held_back,
            **{name: by_device(total) for name, total in sums.items()},
            "staleness": by_device(age).astype(np.int64),
            "held": by_device(np.where(held, length, 0)).astype(np.int64),
            "waited_s": waited / SECOND,
            "uplink_bytes": bytes_of("uplink"),
            "downlink_bytes": bytes_of("downlink"),
        }
    )


def _segments(
    world: World, log: Mapping[str, IntArray], lived: IntArray
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """(device, cut, start, stop) of all runs of steps shown with one list, by device and step."""
    n = world.devices
    shown = np.flatnonzero(log["applied"] >= 0)
    device = np.concatenate([np.arange(n), log["device"][shown]])
    cut = np.concatenate([np.full(n, NOTHING), log["cut"][shown]])
    start = np.concatenate([np.zeros(n, np.int64), log["applied"][shown]])
    order = np.lexsort((cut, start, device))
    device, cut, start = device[order], cut[order], start[order]
    stop = np.append(start[1:], 0)
    last = np.append(np.diff(device) > 0, True)
    stop[last] = lived
    some = stop > start  # a list that comes for the very first step leaves nothing to its forerunner
    return device[some], cut[some], start[some], stop[some]
