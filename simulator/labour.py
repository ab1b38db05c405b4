"""The books of the cloud: what must hold of the work in every request log, checked after every run.

Work is done by replicas that are there, every station keeps the laws of its kind (`simulator/stations.py`), what a
cache sends had been made, busy time is the sum of service, and the bill is the price times what was used. Read from the
request log and the cloud's accounts alone, a stretch of time after the other: requests are in the order of sending, and
nothing happens to one before it is sent, so memory is needed for those that are open at a time.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scenarios.schema.capacity import DeviceAnswerCache
from scenarios.schema.cloud import Cloud
from scenarios.schema.queueing import ContinuousBatching
from simulator.clock import NEVER, SECOND, ticks
from simulator.cloud.accounts import Accounts
from simulator.outcomes import IntArray
from simulator.records import Columns, Log
from simulator.spans import Spans, gone_at, taking_work
from simulator.stations import BrokenLawError, ContinuousStation, StaticStation, WrongMomentsError, demand
from simulator.stays import Stays, stays


def check(log: Log, accounts: Accounts, cloud: Cloud) -> None:
    """Hold the work against its laws. Raises `BrokenLawError`."""
    _work_is_lost_where_replicas_go(accounts)
    up = taking_work(accounts.shifts)
    gone = gone_at(up, accounts.shifts)
    busy = np.zeros(len(accounts.busy), np.int64)
    kind = ContinuousStation if isinstance(cloud.batching, ContinuousBatching) else StaticStation
    shared = cloud.routing == "shared-queue"
    stations = [
        kind(up if station is None else up.of(station), cloud, busy, not len(accounts.detours["number"]))
        for station in ([None] if shared else range(len(busy)))
    ]
    for _, part, until in stays(log, accounts):
        _replicas_are_there(part, len(busy), up, gone)
        for number, station in enumerate(stations):
            here = part if shared else part.pick(np.flatnonzero(part.replica == number))
            try:
                station.look(here, until)
            except WrongMomentsError as error:
                rows = [_during(error.moments, each) for _, each, _ in stays(log, accounts)]
                raise BrokenLawError(error.law, np.unique(np.concatenate(rows))) from error
    if busy.tolist() != list(accounts.busy):
        said = list(accounts.busy)
        raise BrokenLawError(f"replicas say they worked {said} ticks, but their work adds up to {busy.tolist()}")
    if isinstance(cloud.answer_cache, DeviceAnswerCache):
        for _, _, of_devices in log.by_device():
            _kept_answers_were_made(of_devices, ticks(cloud.answer_cache.lifetime_s))
    paid = int(busy.sum()) if cloud.billed == "busy" else accounts.provisioned
    if not np.isclose(accounts.usd, paid / SECOND / 3600 * cloud.usd_per_gpu_hour, rtol=1e-12, atol=0):
        raise BrokenLawError(f"the bill says {accounts.usd} USD for {paid} ticks at {cloud.usd_per_gpu_hour} an hour")


def _during(moments: IntArray, stays: Stays) -> IntArray:
    """Rows of those who wait or are in work at some of these moments."""
    which = np.searchsorted(moments, stays.ended) != np.searchsorted(moments, stays.entered)
    return np.asarray(stays.row[which], np.int64)


def _replicas_are_there(stays: Stays, replicas: int, up: Spans, gone: IntArray) -> None:
    """Work begins on a replica that is up and ends before it is gone; only a crash or a farewell ends it early."""
    worked = stays.in_work()
    demand((worked.replica >= 0) & (worked.replica < replicas), "a replica there is has served it", worked)
    demand(worked.exit >= worked.entered, "nobody is worked on before he waits", worked)
    place = up.latest(worked.replica, worked.exit)
    demand((place >= 0) & (worked.exit <= up.until[place]), "work begins on a replica that is up", worked)
    demand(worked.ended <= gone[place], "work ends before its replica is gone", worked)


def _work_is_lost_where_replicas_go(accounts: Accounts) -> None:
    ends = set(_rows(accounts.shifts, "replica", "until"))
    detours = _rows(accounts.detours, "replica", "ended")
    if not all(each in ends for each in detours):
        odd = [number for number, each in zip(accounts.detours["number"], detours, strict=True) if each not in ends]
        raise BrokenLawError("work is lost only where a replica crashes or goes", np.unique(odd))


def _rows(table: Mapping[str, IntArray], *names: str) -> list[tuple[int, ...]]:
    return list(zip(*(table[name].tolist() for name in names), strict=True))


def _kept_answers_were_made(log: Columns, lifetime: int) -> None:
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
        numbers = log["number"][wrong]
        raise BrokenLawError("an answer from the cache was made before, and not too long before", numbers)
