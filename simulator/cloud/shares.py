"""What share of the replicas' work each request had: a replica's time is divided evenly among those in work."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scenarios.schema.cloud import Cloud
from scenarios.schema.queueing import ContinuousBatching
from simulator.clock import NEVER
from simulator.outcomes import FloatArray, IntArray


def shares(log: Mapping[str, IntArray], detours: Mapping[str, IntArray], cloud: Cloud) -> FloatArray:
    """[requests] ticks of work, NaN where none was finished; what was lost in crashes belongs to nobody.

    With that they add up to the time in which replicas worked.
    """
    size, length = log["batch_size"], (log["finished"] - log["started"]).astype(np.float64)
    if not isinstance(cloud.batching, ContinuousBatching):
        return np.where(size > 0, length / np.maximum(size, 1), np.nan)
    share = np.full(len(size), np.nan)
    for replica in range(cloud.most_replicas):
        done = np.flatnonzero((log["replica"] == replica) & (log["started"] != NEVER))
        lost = (detours["replica"] == replica) & (detours["started"] != NEVER)
        begin = np.concatenate([log["started"][done], detours["started"][lost]])
        end = np.concatenate([log["finished"][done], detours["ended"][lost]])
        times = np.unique(np.concatenate([begin, end]))
        inside = np.searchsorted(np.sort(begin), times, side="right") - np.searchsorted(
            np.sort(end), times, side="right"
        )
        each = np.append(0.0, np.cumsum(np.diff(times) / np.maximum(inside[:-1], 1)))  # work of one who is in all along
        share[done] = (
            each[np.searchsorted(times, log["finished"][done])] - each[np.searchsorted(times, log["started"][done])]
        )
    return share
