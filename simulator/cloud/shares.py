"""What share of the replicas' work each request had: a replica's time is divided evenly among those in work."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scenarios.schema.cloud import Cloud
from scenarios.schema.queueing import ContinuousBatching
from simulator.clock import NEVER
from simulator.cloud.accounts import Accounts
from simulator.counts import Counts
from simulator.outcomes import FloatArray, IntArray
from simulator.records import Columns, Log
from simulator.stays import stays


def shares(log: Log, accounts: Accounts, cloud: Cloud) -> Callable[[Columns], FloatArray]:
    """What gives, for a part of the log, [requests] ticks of work, NaN where none was finished.

    What was lost in crashes belongs to nobody; with that they add up to the time in which replicas worked.
    """
    if not isinstance(cloud.batching, ContinuousBatching):
        return _of_batch
    share = np.full(log.requests, np.nan)
    rates = [_Rate(share) for _ in range(cloud.most_replicas)]
    for part, there, until in stays(log, accounts):
        begun = part["started"] != NEVER
        for replica, rate in enumerate(rates):
            works = there.worked & (there.replica == replica)
            done = np.flatnonzero(begun & (part["replica"] == replica))
            rate.look(
                (there.exit[works], there.ended[works]),
                np.stack([part[name][done] for name in ("number", "started", "finished")]),
                until,
            )
    return lambda part: share[part["number"]]


def _of_batch(part: Columns) -> FloatArray:
    size, length = part["batch_size"], (part["finished"] - part["started"]).astype(np.float64)
    return np.where(size > 0, length / np.maximum(size, 1), np.nan)


class _Rate:
    """At what rate a replica works on each of those that it has in work, added up over time."""

    def __init__(self, share: FloatArray) -> None:
        """share: [requests] to be filled in."""
        self._share = share
        self._counts = Counts(1)
        self._time, self._work, self._inside = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64)
        """The last moment looked at; what one who was in work all along has had by then; how many are in work since."""
        self._open = np.zeros((3, 0), np.int64)
        self._had = np.zeros(0)
        """number, started, finished: [requests] that are not done yet; and what is added up by when each started."""

    def look(self, worked: tuple[IntArray, IntArray], requests: IntArray, until: int) -> None:
        """At more that begins and ends, more requests (number, started, finished), and the time before `until`."""
        self._counts.add(0, *worked)
        times, (inside,) = self._counts.until(until)
        times, inside = np.append(self._time, times), np.append(self._inside, inside)
        before = self._work if len(self._work) else np.zeros(min(len(times), 1))
        work = np.cumsum(np.append(before, np.diff(times) / np.maximum(inside[:-1], 1)))
        self._time, self._work, self._inside = times[-1:], work[-1:], inside[-1:]
        known, had = np.append(self._open, requests, axis=1), np.append(self._had, np.full(requests.shape[1], np.nan))
        number, started, finished = known
        new = np.isnan(had) & (started < until)
        had[new] = work[np.searchsorted(times, started[new])]
        done = finished < until
        self._share[number[done]] = work[np.searchsorted(times, finished[done])] - had[done]
        self._open, self._had = known[:, ~done], had[~done]
