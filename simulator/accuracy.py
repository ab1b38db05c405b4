"""How good the lists were that each device showed: the outcomes along the path that the run took.

The request log says which answer each device held at which steps; the outcomes say what that was worth. NDCG of one
true item at rank r is 1 / log2(r + 1), as in Jarvelin and Kekalainen (2002) with one relevant item.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from simulator.clock import SECOND
from simulator.outcomes import NOTHING, FloatArray, IntArray
from simulator.records import Log
from simulator.shown import Shown
from simulator.world import World

K = 10
"""Length of the list that accuracy is measured on."""


def worth(longest: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Hit, NDCG and reciprocal rank by rank, below `longest`; 0 for rank 0, not shown."""
    rank = np.arange(longest, dtype=np.float64)
    hit = ((rank >= 1) & (rank <= K)).astype(np.float64)
    return hit, hit / np.log2(np.maximum(rank, 1) + 1), np.where(rank > 0, 1 / np.maximum(rank, 1), 0.0)


def device_table(
    world: World,
    log: Log,
    lived: IntArray,
    waited: IntArray,
    held_back: IntArray,
    pieces: Iterable[Shown],
) -> pd.DataFrame:
    """The device table of docs/design.md, but for energy.

    lived: [devices] interactions. waited: [devices] ticks. held_back: [devices] requests that a breaker held back.
    """
    n = world.devices
    staleness, held = np.zeros(n, np.int64), np.zeros(n, np.int64)
    sums = {name: np.zeros(n) for name in ("hits_at_10", "ndcg_at_10", "reciprocal_rank")}
    tables = worth(1 << 16)
    for piece in pieces:
        here, length = slice(piece.first, piece.until), piece.lengths
        owner, devices = piece.device - piece.first, piece.until - piece.first
        holds = piece.cut != NOTHING
        age = np.where(holds, length * (piece.start - piece.cut) + length * (length - 1) // 2, 0)
        staleness[here] = np.bincount(owner, weights=age, minlength=devices)
        held[here] = np.bincount(owner, weights=np.where(holds, length, 0), minlength=devices)
        places = np.cumsum(length) - length
        for total, table in zip(sums.values(), tables, strict=True):
            by_run = np.add.reduceat(table[piece.ranks], places)
            total[here] = np.bincount(owner, weights=by_run, minlength=devices)
    counts = {name: np.zeros(n, np.int64) for name in ("requests", "uplink", "downlink")}
    for begin, end, part in log.by_device():
        of_way = {way: part[way] for way in ("uplink", "downlink")}
        for name, weights in {"requests": part["attempt"] == 1, **of_way}.items():
            counts[name][begin:end] = np.bincount(part["device"] - begin, weights, end - begin)
    return pd.DataFrame(
        {
            "device": np.arange(n),
            "user": world.device_users,
            "interactions": lived,
            "requests": counts["requests"],
            "attempts": log.asked,
            "held_back": held_back,
            **sums,
            "staleness": staleness,
            "held": held,
            "waited_s": waited / SECOND,
            "uplink_bytes": counts["uplink"],
            "downlink_bytes": counts["downlink"],
        }
    )
