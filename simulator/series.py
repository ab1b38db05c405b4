"""A run over time: what its queue, its cloud, its devices and its accuracy were in each of some 200 windows.

Means over time (what is in flight, waits, is in work) are exact areas under the curve, not samples. Latency is that of
exact records, from the moment at which a request was meant to be sent, so that a device that had to wait before it
could ask does not hide that wait. What the devices showed is counted at the moment when they showed it, waits included.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
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
from simulator.records import Log
from simulator.request import ANSWERED, LOST, REJECTED, TIMED_OUT
from simulator.shown import Shown
from simulator.stays import FAR, Stays, stays

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

    def areas(self, begin: IntArray, end: IntArray) -> FloatArray:
        """[count] time that the spans from begin to end share with each window, added up."""
        areas = Areas(self)
        areas.add(begin, end)
        return areas.total()


class Areas:
    """Time that spans share with each window, added up; given some spans after the other."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._sums = np.zeros((2, 2, windows.count))
        """Of begins and of ends: what is left of their windows, and how many there are."""

    def add(self, begin: IntArray, end: IntArray, weight: FloatArray | None = None) -> None:
        """More spans, each of which counts by its weight."""
        windows = self._windows
        after = windows.edges[1:]
        for moments, (inside, present) in zip((begin, end), self._sums, strict=True):
            moments = np.minimum(moments, windows.end)
            place = windows.of(moments)
            left = (after[place] - moments).astype(np.float64)
            np.add.at(inside, place, left if weight is None else left * weight)
            np.add.at(present, place, 1.0 if weight is None else weight)

    def total(self) -> FloatArray:
        """[windows]."""
        inside, present = self._sums[0] - self._sums[1]
        before = np.cumsum(present) - present
        return np.asarray(inside + before * np.diff(self._windows.edges))


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
    width = np.diff(windows.edges).astype(np.float64)
    continuous = isinstance(cloud.batching, ContinuousBatching)
    counts = {name: np.zeros(windows.count, np.int64) for name in ("sent", "answered", "failed", "begun")}
    areas = {name: Areas(windows) for name in ("in_flight", "waiting", "in_work", "busy")}
    sizes, latency = np.zeros(windows.count), _Latency(windows)
    unions: defaultdict[int, _Union] = defaultdict(_Union)
    for part, found, until in stays(log, accounts):
        status = part["status"]
        answered = status == ANSWERED
        counts["sent"] += windows.counts(part["sent"])
        counts["answered"] += windows.counts(part["answered"][answered])
        counts["failed"] += windows.counts(part["settled"][np.isin(status, (REJECTED, TIMED_OUT, LOST))])
        areas["in_flight"].add(part["sent"], part["settled"])
        areas["waiting"].add(found.entered, found.exit)
        latency.add(part["answered"][answered], part["intended"][answered], until)
        work = found.in_work()
        areas["in_work"].add(work.exit, work.ended)
        place, size = windows.of(work.exit), work.size.astype(np.float64)
        counts["begun"] += np.bincount(place, minlength=windows.count)
        if continuous:
            np.add.at(sizes, place, size)
            for replica in np.unique(work.replica).tolist():
                unions[replica].add(work.pick(work.replica == replica))
            for union in unions.values():
                areas["busy"].add(*union.until(until))
        else:
            np.add.at(sizes, place, 1 / size)
            areas["busy"].add(work.exit, work.ended, 1 / np.maximum(work.size, 1))
    shifts = accounts.shifts
    up, works = shifts["state"] == UP, np.isin(shifts["state"], (UP, DRAINING))
    able = windows.areas(shifts["since"][works], shifts["until"][works])
    busy = np.clip(areas["busy"].total(), 0, able)  # thirds of a batch do not quite add up to it
    shown = audience.columns()
    columns = {
        "from_s": windows.edges[:-1] / SECOND,
        "until_s": windows.edges[1:] / SECOND,
        "interactions": shown.pop("interactions"),
        **{name: counts[name] for name in ("sent", "answered", "failed")},
        **{name: _ratio(areas[name].total(), width) for name in ("in_flight", "waiting", "in_work")},
        "utilisation": _ratio(busy, able),
        # mean of the batches begun, or of what each found in work that joined one by one, with it
        "batch_size": _ratio(sizes, counts["begun"]) if continuous else _ratio(counts["begun"], sizes),
        **latency.columns(),
        **shown,
        "replicas_up": _ratio(windows.areas(shifts["since"][up], shifts["until"][up]), width),
    }
    return pd.DataFrame(columns)


class _Union:
    """The spans for which a replica has something in work."""

    def __init__(self) -> None:
        self._spans = np.zeros((2, 0), np.int64)
        """begin, end: of work that is not told of."""

    def add(self, work: Stays) -> None:
        """More work."""
        self._spans = np.append(self._spans, [work.exit, work.ended], axis=1)

    def until(self, moment: int) -> tuple[IntArray, IntArray]:
        """(begin, end) of those that were over before this moment, and were not told of."""
        begin, end = self._spans[:, np.argsort(self._spans[0], kind="stable")]
        reach = np.maximum.accumulate(end)
        new = np.append(True, begin[1:] > reach[:-1])[: len(begin)]
        last = np.append(new[1:], True)[: len(begin)] & (reach < moment)
        told = int(np.flatnonzero(last)[-1]) + 1 if last.any() else 0
        self._spans = np.stack([begin[told:], end[told:]])
        return begin[:told][new[:told]], reach[:told][last[:told]]


class _Latency:
    """Percentiles over the requests answered in each window, interpolated linearly between records."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._open = np.zeros((2, 0), np.int64)
        """window, latency: of requests answered in windows that are not over."""
        self._table = np.full((windows.count, 2), np.nan)

    def add(self, answered: IntArray, intended: IntArray, until: int) -> None:
        """More requests; later ones are answered at `until` or after that."""
        more = np.stack([self._windows.of(answered), answered - intended])
        place, latency = np.append(self._open, more, axis=1)
        over = place < (self._windows.count if until == FAR else self._windows.of(np.array(until)))
        self._open = np.stack([place[~over], latency[~over]])
        place, latency = place[over].astype(np.uint16), latency[over]
        latency = latency[np.argsort(place, kind="stable")]
        ends = np.cumsum(np.bincount(place, minlength=self._windows.count))
        for window, part in enumerate(np.split(latency, ends[:-1])):
            if len(part):
                self._table[window] = np.percentile(part, (50, 95)) / SECOND

    def columns(self) -> dict[str, FloatArray]:
        """What the series tells of latency."""
        return {"latency_p50_s": self._table[:, 0], "latency_p95_s": self._table[:, 1]}


def _ratio(amount: npt.NDArray[np.generic], base: npt.NDArray[np.generic]) -> FloatArray:
    """amount / base, NaN where there is nothing to divide by."""
    return np.divide(amount, base, out=np.full(len(base), np.nan), where=base > 0)  # type: ignore[operator]
