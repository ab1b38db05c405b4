"""The books of the cloud: what must hold of the work in every request log, checked after every run.

Busy time is the sum of service, nobody works on more than he may or while he is not there, no replica rests while work
waits that it may take, first come is first served where that is the rule, and the bill is the price times what was
used. Read from the request log and the cloud's accounts alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scenarios.schema.capacity import DeviceAnswerCache
from scenarios.schema.cloud import Cloud
from scenarios.schema.queueing import ContinuousBatching, FirstIn
from simulator.clock import MILLISECOND, NEVER, SECOND, ticks
from simulator.cloud.accounts import Accounts
from simulator.cloud.replicas import DRAINING, UP
from simulator.outcomes import IntArray
from simulator.stays import FAR, Stays, stays

Log = Mapping[str, IntArray]
Bools = npt.NDArray[np.bool_]
PIECE = 1 << 15
"""About how many beginnings or ends of one kind are put in order at once."""


class BrokenLawError(Exception):
    """A law, and the rows of the request log that break it."""

    def __init__(self, law: str, rows: IntArray) -> None:
        super().__init__(law)
        self.law = law
        self.rows = rows


@dataclass(frozen=True)
class _Spans:
    """What replicas are about from when to when; rising by (replica, since)."""

    replica: IntArray
    since: IntArray
    until: IntArray


def check(log: Log, accounts: Accounts, cloud: Cloud) -> None:
    """Hold the work against its laws. Raises `BrokenLawError`."""
    found = stays(log, accounts)
    _replicas_are_there(found, accounts)
    if isinstance(cloud.batching, ContinuousBatching):
        work = _continuous_work(found, cloud.batching, len(accounts.busy))
    else:
        work = _static_work(found)
    busy = np.zeros(len(accounts.busy), np.int64)
    np.add.at(busy, work.replica, work.until - work.since)
    if busy.tolist() != list(accounts.busy):
        said = list(accounts.busy)
        raise BrokenLawError(
            f"replicas say they worked {said} ticks, but their work adds up to {busy.tolist()}", _none()
        )
    up = _up(accounts.shifts)
    for station in [None] if cloud.routing == "shared-queue" else range(len(accounts.busy)):
        here = found if station is None else found.pick(found.replica == station)
        _nobody_rests(here, _at(work, station), _at(up, station), cloud)
        if isinstance(cloud.discipline, FirstIn) and not len(accounts.detours["number"]):
            _in_order(here)
    if isinstance(cloud.answer_cache, DeviceAnswerCache):
        _kept_answers_were_made(log, ticks(cloud.answer_cache.lifetime_s))
    paid = int(busy.sum()) if cloud.billed == "busy" else accounts.provisioned
    if not np.isclose(accounts.usd, paid / SECOND / 3600 * cloud.usd_per_gpu_hour, rtol=1e-12, atol=0):
        raise BrokenLawError(
            f"the bill says {accounts.usd} USD for {paid} ticks at {cloud.usd_per_gpu_hour} an hour", _none()
        )


def _none() -> IntArray:
    return np.zeros(0, np.int64)


def _demand(holds: Bools, law: str, stays: Stays) -> None:
    if not holds.all():
        raise BrokenLawError(law, np.unique(stays.row[~holds]))


def _at(spans: _Spans, station: int | None) -> _Spans:
    if station is None:
        return spans
    here = spans.replica == station
    return _Spans(spans.replica[here], spans.since[here], spans.until[here])


def _up(shifts: Log) -> _Spans:
    """When which replica takes work."""
    up = shifts["state"] == UP
    return _Spans(shifts["replica"][up], shifts["since"][up], shifts["until"][up])


def _replicas_are_there(stays: Stays, accounts: Accounts) -> None:
    """Work begins on a replica that is up and ends before it is gone; only a crash or a farewell ends it early."""
    shifts, worked = accounts.shifts, stays.in_work()
    _demand((worked.replica >= 0) & (worked.replica < len(accounts.busy)), "a replica there is has served it", worked)
    _demand(worked.exit >= worked.entered, "nobody is worked on before he waits", worked)
    up = _up(shifts)
    place = _latest(up, worked.replica, worked.exit)
    _demand((place >= 0) & (worked.exit <= up.until[place]), "work begins on a replica that is up", worked)
    gone = {(r, s): u for r, s, u, k in _rows(shifts, "replica", "since", "until", "state") if k == DRAINING}
    until = np.array(
        [gone.get((r, u), u) for r, u in zip(up.replica.tolist(), up.until.tolist(), strict=True)], np.int64
    )
    _demand(worked.ended <= until[place], "work ends before its replica is gone", worked)
    ends = set(_rows(shifts, "replica", "until"))
    detours = _rows(accounts.detours, "replica", "ended")
    if not all(each in ends for each in detours):
        odd = [number for number, each in zip(accounts.detours["number"], detours, strict=True) if each not in ends]
        raise BrokenLawError("work is lost only where a replica crashes or goes", np.unique(odd))


def _rows(table: Log, *names: str) -> list[tuple[int, ...]]:
    return list(zip(*(table[name].tolist() for name in names), strict=True))


def _latest(spans: _Spans, replica: IntArray, time: IntArray) -> IntArray:
    """For each (replica, time) the place of its last span that begins by then, -1 where there is none."""
    place = np.full(len(replica), -1)
    for each in np.unique(spans.replica):
        mine, asked = np.flatnonzero(spans.replica == each), replica == each
        at = np.searchsorted(spans.since[mine], time[asked], side="right") - 1
        place[asked] = np.where(at >= 0, mine[np.maximum(at, 0)], -1)
    return place


def _static_work(stays: Stays) -> _Spans:
    """The batches: a replica works on one at a time, on as many requests as it says."""
    stays = stays.in_work()
    stays = stays.pick(np.lexsort((stays.ended, stays.exit, stays.replica)))
    new = np.ones(len(stays.row), np.bool_)
    new[1:] = (np.diff(stays.replica) != 0) | (np.diff(stays.exit) != 0) | (np.diff(stays.ended) != 0)
    batch = np.cumsum(new) - 1
    members = np.bincount(batch) if len(batch) else _none()
    spans = _Spans(stays.replica[new], stays.exit[new], stays.ended[new])
    no_time = spans.since == spans.until  # such batches cannot be told apart
    _demand((members[batch] == stays.size) | no_time[batch], "a batch has its members", stays)
    apart = np.ones(len(spans.since), np.bool_)
    apart[1:] = (np.diff(spans.replica) != 0) | (spans.since[1:] >= spans.until[:-1])
    _demand(apart[batch], "a replica works on one batch at a time", stays)
    return spans


def _continuous_work(stays: Stays, batching: ContinuousBatching, replicas: int) -> _Spans:
    """When there is something in work, which is never more than there are slots."""
    owner, since, until = [_none()], [_none()], [_none()]
    for replica in range(replicas):
        mine = stays.pick(stays.worked & (stays.replica == replica))
        if not len(mine.row):
            continue
        times, (inside,) = _over_time([(mine.exit, mine.ended)])
        _demand_none(times[inside > batching.slots], "no more are in work than there are slots", mine)
        edges = np.diff(inside > 0, prepend=False).nonzero()[0]
        since.append(times[edges[::2]])
        until.append(times[edges[1::2]])
        owner.append(np.full(len(edges) // 2, replica))
    return _Spans(np.concatenate(owner), np.concatenate(since), np.concatenate(until))


def _over_time(intervals: list[tuple[IntArray, IntArray]]) -> tuple[IntArray, list[IntArray]]:
    """(times, rising; for each set of intervals, how many of them hold from each of these times to the next)."""
    times, counts = [_none()], [[_none()] for _ in intervals]
    for time, held in _states(intervals):
        times.append(time)
        for all_of, part in zip(counts, held, strict=True):
            all_of.append(part)
    return np.concatenate(times), [np.concatenate(each) for each in counts]


def _states(intervals: list[tuple[IntArray, IntArray]]) -> Iterator[tuple[IntArray, list[IntArray]]]:
    """The same, a stretch of time after the other, each of which fits the processor's caches."""
    edges = [np.sort(edge) for pair in intervals for edge in pair]
    cuts = np.unique(max(edges, key=len)[PIECE::PIECE])
    places = [[0, *np.searchsorted(edge, cuts).tolist(), len(edge)] for edge in edges]
    before = [0] * len(intervals)
    for piece in range(len(cuts) + 1):
        parts = [edge[place[piece] : place[piece + 1]] for edge, place in zip(edges, places, strict=True)]
        time = np.concatenate(parts)
        if not len(time):
            continue
        kind = np.repeat(np.arange(len(parts), dtype=np.int8), [len(part) for part in parts])
        order = np.argsort(time, kind="stable")
        time, kind = time[order], kind[order]
        last = np.append(time[1:] > time[:-1], True)  # the state that lasts, once all changes of a moment are made
        counts = []
        for n in range(len(intervals)):
            change = (kind == 2 * n).astype(np.int32)
            change -= kind == 2 * n + 1
            held = before[n] + np.cumsum(change)
            before[n] = int(held[-1])
            counts.append(held[last])
        yield time[last], counts


def _nobody_rests(stays: Stays, work: _Spans, up: _Spans, cloud: Cloud) -> None:
    """At one station, no replica that is up rests while work waits that it may take."""
    if not len(stays.row):
        return
    batching, law = cloud.batching, "no replica rests while work waits"
    place = _latest(up, work.replica, work.since)
    busy_up = (work.since, np.minimum(work.until, up.until[place]))  # a replica may work on after it takes no more
    there = (up.since, up.until)
    if isinstance(batching, ContinuousBatching):
        worked = stays.in_work()
        place = _latest(up, worked.replica, worked.exit)
        times, (waiting, in_work, replicas, busy) = _over_time(
            [(stays.entered, stays.exit), (worked.exit, np.minimum(worked.ended, up.until[place])), there, busy_up]
        )
        _demand_none(times[(busy < replicas) & (waiting > 0)], law, stays)
        slowest = max([1.0, *(each.slowdown for each in cloud.brownouts)])
        within = round(_longest(cloud.service.milliseconds, batching.token_budget) * MILLISECOND * slowest) + 1
        room = (in_work < batching.slots * replicas) & (waiting > 0)
        _somebody_joins(times, room, np.unique(worked.exit), within, stays)
        return
    due = np.minimum(_arrived(stays) + round(batching.max_wait_ms * MILLISECOND), stays.exit)
    wrong = [
        times[(busy < replicas) & ((overdue > 0) | (waiting >= batching.max_size))]
        for times, (waiting, overdue, replicas, busy) in _states(
            [(stays.entered, stays.exit), (np.maximum(due, stays.entered), stays.exit), there, busy_up]
        )
    ]
    _demand_none(np.concatenate(wrong), law, stays)


def _longest(milliseconds: Mapping[int, float], tokens: int) -> float:
    """The longest iteration of up to so many tokens."""
    sizes = sorted(milliseconds)
    at_most = np.interp(tokens, sizes, [milliseconds[size] for size in sizes])
    return max(float(at_most), *(milliseconds[size] for size in sizes if size <= tokens))


def _arrived(stays: Stays) -> IntArray:
    """[stays] when the request first came to the cloud."""
    if not len(stays.row) or np.bincount(stays.row).max() == 1:
        return stays.entered
    first = np.full(int(stays.row.max()) + 1, FAR)
    np.minimum.at(first, stays.row, stays.entered)
    return np.asarray(first[stays.row], np.int64)


def _demand_none(wrong: IntArray, law: str, stays: Stays) -> None:
    """No request waits, or is in work, at any of these moments, from each of which a state lasts."""
    if len(wrong):
        _demand(np.searchsorted(wrong, stays.ended) == np.searchsorted(wrong, stays.entered), law, stays)


def _somebody_joins(times: IntArray, room: Bools, starts: IntArray, within: int, stays: Stays) -> None:
    """While somebody waits and there is a free slot, somebody takes it within an iteration."""
    begins = room & (np.isin(times, starts) | ~np.append(False, room[:-1]))
    run = np.cumsum(begins)
    ends = np.append(times[1:], times[-1])
    length = np.zeros(run[-1] + 1, np.int64) if len(run) else _none()
    np.add.at(length, run[room], (ends - times)[room])
    wrong = times[room & (length[run] > within)] if len(run) else _none()
    _demand_none(wrong, "nobody waits longer than an iteration for a free slot", stays)


def _in_order(stays: Stays) -> None:
    """First come, first served."""
    stays = stays.in_work()
    order = np.argsort(stays.entered, kind="stable")
    order = order[np.argsort(stays.exit[order], kind="stable")]
    out = np.flatnonzero(np.diff(stays.entered[order]) < 0)
    if len(out):
        raise BrokenLawError("first come, first served", stays.row[order[out + 1]])


def _kept_answers_were_made(log: Log, lifetime: int) -> None:
    """What the cache sent had been made for the same device, not too long before."""
    sent = np.flatnonzero((log["left"] != NEVER) & (log["cut"] >= 0) & (log["answered"] != NEVER))
    made: dict[tuple[int, int], list[int]] = {}
    for row in np.flatnonzero(log["finished"] != NEVER).tolist():
        made.setdefault((int(log["device"][row]), int(log["step"][row])), []).append(int(log["finished"][row]))
    wrong = []
    for row in sent.tolist():
        now = int(log["arrived"][row])
        times = made.get((int(log["device"][row]), int(log["cut"][row])), [])
        if not any(now - lifetime <= time <= now for time in times):
            wrong.append(row)
    if wrong:
        raise BrokenLawError("an answer from the cache was made before, and not too long before", np.array(wrong))
