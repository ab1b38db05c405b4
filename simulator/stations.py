"""Stations are watched: a queue and the replicas that take from it, in batches or one request after the other.

Nobody works on more than he may, no replica rests while work waits that it may take, nobody waits for a free slot
longer than an iteration, and first come is first served where that is the rule. Looked at a stretch of time after the
other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from scenarios.schema.cloud import Cloud
from scenarios.schema.queueing import ContinuousBatching, FirstIn
from simulator.clock import MILLISECOND
from simulator.counts import Counts
from simulator.outcomes import IntArray
from simulator.spans import Spans
from simulator.stays import FAR, InWork, Stays

Bools = npt.NDArray[np.bool_]
RESTS = "no replica rests while work waits"


class BrokenLawError(Exception):
    """A law, and the rows of the request log that break it."""

    def __init__(self, law: str, rows: IntArray | None = None) -> None:
        super().__init__(law)
        self.law = law
        self.rows = _none() if rows is None else rows


class WrongMomentsError(Exception):
    """A law, and the moments at which it is broken, rising."""

    def __init__(self, law: str, moments: IntArray) -> None:
        super().__init__(law)
        self.law = law
        self.moments = moments


def demand(holds: Bools, law: str, stays: Stays) -> None:
    """Raise `BrokenLawError` unless the law holds of each of these stays."""
    if not holds.all():
        raise BrokenLawError(law, np.unique(stays.row[~holds]))


def _demand_none(wrong: IntArray, law: str) -> None:
    """No request waits, or is in work, at any of these moments, from each of which a state lasts."""
    if len(wrong):
        raise WrongMomentsError(law, wrong)


def _none() -> IntArray:
    return np.zeros(0, np.int64)


class StaticStation:
    """A queue and the replicas that take batches from it."""

    def __init__(self, up: Spans, cloud: Cloud, busy: IntArray, straight: bool) -> None:
        """busy: [replicas] ticks of work, to be added to. straight: whether every request stays but once."""
        assert not isinstance(cloud.batching, ContinuousBatching)
        self._up, self._cloud, self._busy = up, cloud, busy
        self._batching = cloud.batching
        self._work, self._counts = InWork(), Counts(4)
        self._counts.add(2, up.since, up.until)
        self._free = np.zeros(len(busy), np.int64)
        """[replicas] until when the last batch lasts."""
        self._order = _Order() if straight and isinstance(cloud.discipline, FirstIn) else None

    def look(self, stays: Stays, until: int) -> None:
        """At more stays, and at the time before this moment, in which nobody else comes."""
        begun = self._work.until(stays, until)
        work = self._batches(begun)
        np.add.at(self._busy, work.replica, work.until - work.since)
        self._nobody_rests(stays, work, until)
        if self._order is not None:
            self._order.look(begun)

    def _batches(self, stays: Stays) -> Spans:
        """A replica works on one batch at a time, on as many requests as it says."""
        stays = stays.pick(np.lexsort((stays.ended, stays.exit, stays.replica)))
        new = np.ones(len(stays.row), np.bool_)
        new[1:] = (np.diff(stays.replica) != 0) | (np.diff(stays.exit) != 0) | (np.diff(stays.ended) != 0)
        batch = np.cumsum(new) - 1
        members = np.bincount(batch) if len(batch) else _none()
        spans = Spans(stays.replica[new], stays.exit[new], stays.ended[new])
        no_time = spans.since == spans.until  # such batches cannot be told apart
        demand((members[batch] == stays.size) | no_time[batch], "a batch has its members", stays)
        another = np.diff(spans.replica, prepend=-1) != 0
        free = np.where(another, self._free[spans.replica], np.append(0, spans.until[:-1])[: len(another)])
        demand((spans.since >= free)[batch], "a replica works on one batch at a time", stays)
        self._free[spans.replica] = spans.until  # the last one of each counts
        return spans

    def _nobody_rests(self, stays: Stays, work: Spans, until: int) -> None:
        """No replica that is up rests while work waits that it may take."""
        counts, batching = self._counts, self._batching
        counts.add(0, stays.entered, stays.exit)
        due = np.minimum(_arrived(stays) + round(batching.max_wait_ms * MILLISECOND), stays.exit)
        counts.add(1, np.maximum(due, stays.entered), stays.exit)
        place = self._up.latest(work.replica, work.since)
        counts.add(3, work.since, np.minimum(work.until, self._up.until[place]))  # it may work on, but takes no more
        times, (waiting, overdue, replicas, busy) = counts.until(until)
        _demand_none(times[(busy < replicas) & ((overdue > 0) | (waiting >= batching.max_size))], RESTS)


class ContinuousStation:
    """A queue and the replicas that its requests join one by one."""

    def __init__(self, up: Spans, cloud: Cloud, busy: IntArray, straight: bool) -> None:
        """As of `StaticStation`."""
        assert isinstance(cloud.batching, ContinuousBatching)
        self._up, self._busy, self._slots = up, busy, cloud.batching.slots
        self._work, self._counts = InWork(), Counts(4)
        self._counts.add(2, up.since, up.until)
        self._of_replica = {replica: _Activity(replica, up, self._slots) for replica in np.unique(up.replica).tolist()}
        slowest = max([1.0, *(each.slowdown for each in cloud.brownouts)])
        self._joining = _Joining(
            round(_longest(cloud.service.milliseconds, cloud.batching.token_budget) * MILLISECOND * slowest) + 1
        )
        self._order = _Order() if straight and isinstance(cloud.discipline, FirstIn) else None

    def look(self, stays: Stays, until: int) -> None:
        """As `StaticStation` does."""
        counts = self._counts
        worked = stays.in_work()
        for replica, activity in self._of_replica.items():
            begins, ends, ticks_of_work = activity.look(worked.pick(worked.replica == replica), until)
            counts.add(3, begins, ends)
            self._busy[replica] += ticks_of_work
        counts.add(0, stays.entered, stays.exit)
        place = self._up.latest(worked.replica, worked.exit)
        counts.add(1, worked.exit, np.minimum(worked.ended, self._up.until[place]))
        times, (waiting, in_work, replicas, busy) = counts.until(until)
        _demand_none(times[(busy < replicas) & (waiting > 0)], RESTS)
        begun = self._work.until(stays, until)
        self._joining.look(times, (in_work < self._slots * replicas) & (waiting > 0), np.isin(times, begun.exit))
        if self._order is not None:
            self._order.look(begun)


class _Activity:
    """When a replica has something in work, which is never more than there are slots."""

    def __init__(self, replica: int, up: Spans, slots: int) -> None:
        self._up, self._slots = up.of(replica), slots
        self._counts = Counts(1)
        self._since: int | None = None
        """When what it is about began."""
        self._told = False
        """Whether that has ended for all others, as the replica takes no more."""

    def look(self, worked: Stays, until: int) -> tuple[IntArray, IntArray, int]:
        """(begins, ends of such spans before this moment, as far as the replica is up; ticks of those that ended)."""
        self._counts.add(0, worked.exit, worked.ended)
        times, (inside,) = self._counts.until(until)
        _demand_none(times[inside > self._slots], "no more are in work than there are slots")
        edges = times[np.diff(inside > 0, prepend=self._since is not None)]
        was = _none() if self._since is None else np.array([self._since])
        edges = np.append(was, edges)
        begins, ends = edges[::2], edges[1::2]
        cap = self._up.until[np.searchsorted(self._up.since, begins, side="right") - 1]
        seen = np.minimum(ends, cap[: len(ends)])[int(self._told and len(ends) > 0) :]
        ticks_of_work = int((ends - begins[: len(ends)]).sum())
        if len(ends):
            self._told = False
        self._since = int(begins[-1]) if len(begins) > len(ends) else None
        if self._since is not None and not self._told and cap[-1] < until:
            self._told, seen = True, np.append(seen, cap[-1])
        return begins[len(was) :], seen, ticks_of_work


class _Joining:
    """While somebody waits and there is a free slot, somebody takes it within an iteration."""

    def __init__(self, within: int) -> None:
        self._within = within
        self._moment, self._flags = _none(), np.zeros((2, 0), np.bool_)
        """The last moment looked at, whose state lasts until the next, and whether there is room and somebody joins."""
        self._before, self._length = False, 0
        """Whether there was room before that, and for how long nobody had taken it."""

    def look(self, times: IntArray, room: Bools, joins: Bools) -> None:
        """At moments, from each of which there is room, or not, and at which somebody joins, or not."""
        times, flags = np.append(self._moment, times), np.append(self._flags, [room, joins], axis=1)
        self._moment, self._flags = times[-1:], flags[:, -1:]
        now, (room, joins) = times[:-1], flags[:, :-1]
        if not len(now):
            return
        run = np.cumsum(room & (joins | ~np.append(self._before, room[:-1])))
        length = np.zeros(run[-1] + 1, np.int64)
        length[0] = self._length
        np.add.at(length, run[room], np.diff(times)[room])
        self._before, self._length = bool(room[-1]), int(length[-1])
        _demand_none(now[room & (length[run] > self._within)], "nobody waits longer than an iteration for a free slot")


class _Order:
    """First come, first served."""

    def __init__(self) -> None:
        self._entered = 0

    def look(self, begun: Stays) -> None:
        """At those on whom work begins next."""
        order = np.argsort(begun.entered, kind="stable")
        order = order[np.argsort(begun.exit[order], kind="stable")]
        entered = begun.entered[order]
        out = np.flatnonzero(np.diff(entered, prepend=self._entered) < 0)
        if len(out):
            raise BrokenLawError("first come, first served", begun.row[order[out]])
        self._entered = int(entered[-1]) if len(entered) else self._entered


def _longest(milliseconds: Mapping[int, float], tokens: int) -> float:
    """The longest iteration of up to so many tokens."""
    sizes = sorted(milliseconds)
    at_most = np.interp(tokens, sizes, [milliseconds[size] for size in sizes])
    return max(float(at_most), *(milliseconds[size] for size in sizes if size <= tokens))


def _arrived(stays: Stays) -> IntArray:
    """[stays] when the request first came to the cloud."""
    if not len(stays.row):
        return stays.entered
    row = stays.row - stays.row.min()
    if np.bincount(row).max() == 1:
        return stays.entered
    first = np.full(int(row.max()) + 1, FAR)
    np.minimum.at(first, row, stays.entered)
    return np.asarray(first[row], np.int64)
