"""A run over time: what its queue, its cloud, its devices and its accuracy were in each of some 200 windows.

Means over time (what is in flight, waits, is in work) are exact areas under the curve, not samples. Latency is that of
exact records, from the moment at which a request was meant to be sent, so that a device that had to wait before it
could ask does not hide that wait. What the devices showed is counted at the moment when they showed it, waits included.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from scenarios.schema.cloud import Cloud
from scenarios.schema.queueing import ContinuousBatching
from simulator.accuracy import K, worth
from simulator.clock import SECOND
from simulator.cloud.accounts import Accounts
from simulator.cloud.replicas import DRAINING, UP
from simulator.outcomes import NOTHING, FloatArray, IntArray
from simulator.pace import Pace
from simulator.request import ANSWERED, LOST, REJECTED, TIMED_OUT
from simulator.shown import Shown
from simulator.stays import Stays, stays

Log = Mapping[str, IntArray]
PIECE = 1 << 16
"""Moments that are looked at at once: what is made of them fits the processor's caches."""
WINDOWS = 200
"""About how many windows a run has."""
MINUTE, HOUR, DAY = 60, 3600, 86400
ROUND = (
    *(
        count * SECOND // part
        for part in (10**9, 10**8, 10**7, 10**6, 10**5, 10**4, 1000, 100, 10)
        for count in (1, 2, 5)
    ),
    *(count * SECOND for count in (1, 2, 5, 10, 15, 30)),
    *(count * MINUTE * SECOND for count in (1, 2, 5, 10, 15, 30)),
    *(count * HOUR * SECOND for count in (1, 2, 6, 12)),
    *(count * DAY * SECOND for count in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
)
"""Lengths that a window may have, in ticks."""


@dataclass(frozen=True)
class Windows:
    """[0, end] in windows of `width` ticks, the last of which ends with the run and includes its last moment."""

    width: int
    end: int

    @classmethod
    def over(cls, end: int) -> Windows:
        """Of the round length that comes nearest, as a ratio, to giving `WINDOWS` of them."""
        ratios = np.abs(np.log(np.array(ROUND) * WINDOWS / max(end, 1)))
        return cls(ROUND[int(ratios.argmin())], end)

    @property
    def count(self) -> int:
        """Number of windows, at least 1."""
        return max(-(-self.end // self.width), 1)

    @property
    def edges(self) -> IntArray:
        """[count + 1] ticks."""
        return np.minimum(np.arange(self.count + 1) * self.width, self.end)

    def of(self, ticks: IntArray) -> IntArray:
        """[n] window of each moment; what is later than the end is of the last."""
        return np.minimum(ticks // self.width, self.count - 1)

    def counts(self, ticks: IntArray) -> IntArray:
        """[count] how many moments fall into each."""
        return np.bincount(self.of(ticks), minlength=self.count)

    def areas(self, begin: IntArray, end: IntArray, weight: FloatArray | None = None) -> FloatArray:
        """[count] time that the spans from begin to end share with each window, added up."""
        (begun, since), (ended, until) = self._moments(begin, weight), self._moments(end, weight)
        present = begun - ended
        before = np.cumsum(present) - present
        return np.asarray(since - until + before * np.diff(self.edges))

    def _moments(self, moments: IntArray, weight: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        """[count] how many moments fall into each window, and what is left of it after them, added up."""
        number, left, edges = np.zeros(self.count), np.zeros(self.count), self.edges[1:]
        for first in range(0, len(moments), PIECE):
            here = slice(first, first + PIECE)
            moment = np.minimum(moments[here], self.end)
            place = self.of(moment)
            heavy = np.ones(len(place)) if weight is None else weight[here]
            np.add.at(left, place, (edges[place] - moment) * heavy)  # in the order of the moments, as sums are rounded
            np.add.at(number, place, heavy)
        return number, left


class Audience:
    """Counts what devices show, by window; memory is by window, and by interaction of a piece at most."""

    def __init__(self, windows: Windows, pace: Pace, lived: IntArray, waits: array[int]) -> None:
        self._windows = windows
        self._pace = pace
        self._lived = lived
        rows = np.array(waits, np.int64).reshape(-1, 3)
        self._waits = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
        self._ranks = np.zeros((windows.count, K + 1), np.int64)
        self._held = np.zeros(windows.count, np.int64)
        self._age = np.zeros(windows.count, np.int64)

    def watch(self, pieces: Iterable[Shown]) -> Iterator[Shown]:
        """Pass on all pieces, and count them."""
        for piece in pieces:
            self._count(piece)
            yield piece

    def _count(self, piece: Shown) -> None:
        n, length = self._windows.count, piece.lengths
        window = self._windows.of(self._times(piece))
        rank = np.where(piece.ranks <= K, piece.ranks, 0)
        self._ranks += np.bincount(window * (K + 1) + rank, minlength=n * (K + 1)).reshape(n, K + 1)
        # The age at a step is the step less the cut: the place in the piece less that of the cut.
        holds = piece.cut != NOTHING
        origin = np.cumsum(length) - length - (piece.start - piece.cut)
        age = np.arange(len(window)) - np.repeat(origin, length)
        held = np.repeat(holds, length)
        self._held += np.bincount(window[held], minlength=n)
        self._age += np.bincount(window[held], weights=age[held], minlength=n).astype(np.int64)

    def _times(self, piece: Shown) -> IntArray:
        """[interactions of the piece] when each list was shown."""
        times = self._pace.times(piece.first, piece.until, self._lived)
        begin, end = np.searchsorted(self._waits[:, 0], (piece.first, piece.until))
        if begin == end:
            return times
        device, step, late = self._waits[begin:end].T
        lived = self._lived[piece.first : piece.until]
        first = np.cumsum(lived) - lived
        place = np.concatenate([first, first[device - piece.first] + step])
        shift = np.concatenate([np.zeros(len(first), np.int64), late])
        order = np.argsort(place, kind="stable")  # a device is late by nothing until it first waits
        place, shift = place[order], shift[order]
        return np.asarray(times + np.repeat(shift, np.diff(place, append=len(times))), np.int64)

    def columns(self) -> dict[str, IntArray | FloatArray]:
        """What the series tells of interactions."""
        hit, ndcg, _ = worth(K + 1)
        lived = self._ranks.sum(axis=1)
        return {
            "interactions": lived,
            "staleness": _ratio(self._age, self._held),
            "hits_at_10": _ratio(self._ranks @ hit, lived),
            "ndcg_at_10": _ratio(self._ranks @ ndcg, lived),
        }


def series(windows: Windows, log: Log, accounts: Accounts, cloud: Cloud, audience: Audience) -> pd.DataFrame:
    """The series of docs/design.md."""
    edges = windows.edges
    width = np.diff(edges).astype(np.float64)
    found = stays(log, accounts)
    work = found.in_work()
    continuous = isinstance(cloud.batching, ContinuousBatching)
    spans = (*_unions(work), None) if continuous else (work.exit, work.ended, 1 / np.maximum(work.size, 1))
    shifts = accounts.shifts
    up, works = shifts["state"] == UP, np.isin(shifts["state"], (UP, DRAINING))
    able = windows.areas(shifts["since"][works], shifts["until"][works])
    busy = np.clip(windows.areas(*spans), 0, able)  # thirds of a batch do not quite add up to it
    shown = audience.columns()
    failed = np.isin(log["status"], (REJECTED, TIMED_OUT, LOST))
    answered = log["status"] == ANSWERED
    columns = {
        "from_s": edges[:-1] / SECOND,
        "until_s": edges[1:] / SECOND,
        "interactions": shown.pop("interactions"),
        "sent": windows.counts(log["sent"]),
        "answered": windows.counts(log["answered"][answered]),
        "failed": windows.counts(log["settled"][failed]),
        "in_flight": _ratio(windows.areas(log["sent"], log["settled"]), width),
        "waiting": _ratio(windows.areas(found.entered, found.exit), width),
        "in_work": _ratio(windows.areas(work.exit, work.ended), width),
        "utilisation": _ratio(busy, able),
        "batch_size": _batches(windows, work, continuous),
        **_latency(windows, log, answered),
        **shown,
        "replicas_up": _ratio(windows.areas(shifts["since"][up], shifts["until"][up]), width),
    }
    return pd.DataFrame(columns)


def _unions(work: Stays) -> tuple[IntArray, IntArray]:
    """(begin, end) of the spans for which a replica has something in work."""
    begins, ends = [], []
    for replica in np.unique(work.replica):
        mine = np.flatnonzero(work.replica == replica)
        mine = mine[np.argsort(work.exit[mine], kind="stable")]
        begin, reach = work.exit[mine], np.maximum.accumulate(work.ended[mine])
        new = np.append(True, begin[1:] > reach[:-1])
        begins.append(begin[new])
        ends.append(reach[np.append(new[1:], True)])
    none = [np.zeros(0, np.int64)]
    return np.concatenate(begins + none), np.concatenate(ends + none)


def _batches(windows: Windows, work: Stays, continuous: bool) -> FloatArray:
    """[windows] mean size of the batches begun, or of what each found in work that joined one by one, with it."""
    place, size = windows.of(work.exit), work.size.astype(np.float64)
    members = np.bincount(place, minlength=windows.count)
    if continuous:
        return _ratio(np.bincount(place, size, windows.count), members)
    return _ratio(members, np.bincount(place, 1 / size, windows.count))


def _latency(windows: Windows, log: Log, answered: npt.NDArray[np.bool_]) -> dict[str, FloatArray]:
    """Percentiles over the requests answered in each window, interpolated linearly between records."""
    place = windows.of(log["answered"][answered]).astype(np.uint16)
    latency = (log["answered"] - log["intended"])[answered]
    latency = latency[np.argsort(place, kind="stable")]
    ends = np.cumsum(np.bincount(place, minlength=windows.count))
    table = np.full((windows.count, 2), np.nan)
    for window, part in enumerate(np.split(latency, ends[:-1])):
        if len(part):
            table[window] = np.percentile(part, (50, 95)) / SECOND
    return {"latency_p50_s": table[:, 0], "latency_p95_s": table[:, 1]}


def _ratio(amount: npt.NDArray[np.generic], base: npt.NDArray[np.generic]) -> FloatArray:
    """amount / base, NaN where there is nothing to divide by."""
    return np.divide(amount, base, out=np.full(len(base), np.nan), where=base > 0)  # type: ignore[operator]
