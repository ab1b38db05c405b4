"""The books of a run: what must hold of every request log, checked after every run.

The checks read the log alone and share no code with the engine: a server that forgets a customer, works twice or rests
while somebody waits shows in the times that it wrote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scenarios.schema.cloud import Cloud
from simulator.clock import MILLISECOND, NEVER
from simulator.outcomes import IntArray
from simulator.request import ANSWERED, IN_FLIGHT, LOST, REJECTED, STATUSES

Log = Mapping[str, IntArray]


class LedgerError(RuntimeError):
    """The engine broke a law of its own: a fault of the program, never of a scenario."""


@dataclass(frozen=True)
class Ledger:
    """Requests by what became of them; `issued` is the sum of the others."""

    issued: int
    in_flight: int
    answered: int
    rejected: int
    timed_out: int
    lost: int
    abandoned: int


def balance(log: Log, issued: int, busy: Sequence[int], cloud: Cloud) -> Ledger:
    """Close the books. `issued` and `busy` (ticks, by replica) are the engine's own counts. Raises `LedgerError`."""
    counts = np.bincount(log["status"], minlength=len(STATUSES)).tolist()
    ledger = Ledger(issued=issued, **dict(zip(STATUSES, counts, strict=True)))
    if issued != sum(counts) or not np.array_equal(log["number"], np.arange(issued)):
        raise LedgerError(f"{issued} requests were issued, but the log holds {len(log['number'])}: {ledger}")
    _times_rise(log)
    _statuses_fit(log)
    _work_adds_up(log, busy)
    _nobody_rests_while_work_waits(log, cloud)
    return ledger


def _demand(holds: npt.NDArray[np.bool_], law: str, log: Log) -> None:
    """Raise with the first offending records unless the law holds of every request."""
    if not holds.all():
        rows = np.flatnonzero(~holds)
        shown = [{name: int(column[row]) for name, column in log.items()} for row in rows[:3]]
        raise LedgerError(f"{law}: broken by {len(rows)} of {len(holds)} requests, such as {shown}")


def _times_rise(log: Log) -> None:
    before = log["intended"]
    _demand(before >= 0, "a request is meant for a time after the start", log)
    for name in ("sent", "arrived", "started", "finished", "answered"):
        here = log[name]
        _demand((here == NEVER) | (here >= before), f"{name}: time never goes backwards", log)
        before = np.where(here == NEVER, before, here)
    _demand(np.diff(log["sent"], prepend=0) >= 0, "requests are numbered as they are sent", log)


def _statuses_fit(log: Log) -> None:
    status = log["status"]
    arrived, started, finished, answered = (log[k] != NEVER for k in ("arrived", "started", "finished", "answered"))
    _demand(answered == (status == ANSWERED), "a request is answered if, and only if, its answer came in time", log)
    _demand(~answered | finished, "no answer that nobody made", log)
    _demand(~started | arrived, "no work on a request that did not arrive", log)
    _demand(started == finished, "work begun is finished", log)
    _demand((status != REJECTED) | (arrived & ~started), "what is rejected has arrived and is not worked on", log)
    _demand(arrived | ~np.isin(status, (ANSWERED, REJECTED)), "no reply to a request that did not arrive", log)
    _demand(
        arrived | np.isin(status, (LOST, IN_FLIGHT)) | (status == STATUSES.index("timed_out")),
        "only a lost or late request fails to arrive",
        log,
    )
    _demand((log["applied"] < 0) | answered, "only an answer is shown", log)
    _demand((log["applied"] < 0) | (log["applied"] >= log["step"]), "no answer is shown before its request", log)


def _work_adds_up(log: Log, busy: Sequence[int]) -> None:
    """Each replica works on one batch at a time, on as many requests as it says, and on nothing else."""
    rows = np.flatnonzero(log["started"] != NEVER)
    replica, started, finished = (log[k][rows] for k in ("replica", "started", "finished"))
    _demand_rows((replica >= 0) & (replica < len(busy)), "a replica there is has served it", log, rows)
    order = np.lexsort((finished, started, replica))
    rows, replica, started, finished = rows[order], replica[order], started[order], finished[order]
    new = np.ones(len(rows), np.bool_)
    new[1:] = (np.diff(replica) != 0) | (np.diff(started) != 0) | (np.diff(finished) != 0)
    batch = np.cumsum(new) - 1
    members = np.bincount(batch) if len(rows) else np.zeros(0, np.int64)
    work = (finished - started)[new]
    _demand_rows((members[batch] == log["batch_size"][rows]) | (work[batch] == 0), "a batch has its members", log, rows)
    head, tail = started[new], finished[new]
    same = replica[new][1:] == replica[new][:-1]
    apart = np.ones(len(head), np.bool_)
    apart[1:] = ~same | (head[1:] >= tail[:-1])
    _demand_rows(apart[batch], "a replica works on one batch at a time", log, rows)
    total = np.zeros(len(busy), np.int64)
    np.add.at(total, replica[new], work)
    if total.tolist() != list(busy):
        raise LedgerError(f"replicas say they worked {list(busy)} ticks, but their batches add up to {total.tolist()}")


def _demand_rows(holds: npt.NDArray[np.bool_], law: str, log: Log, rows: IntArray) -> None:
    everywhere = np.ones(len(log["number"]), np.bool_)
    everywhere[rows] = holds
    _demand(everywhere, law, log)


def _nobody_rests_while_work_waits(log: Log, cloud: Cloud) -> None:
    """While a replica is free, fewer wait than fill a batch and nobody has waited longer than a batch may wait."""
    rows = np.flatnonzero((log["arrived"] != NEVER) & (log["status"] != REJECTED) & (log["started"] != NEVER))
    if not len(rows):
        return
    arrived, started, finished = (log[k][rows] for k in ("arrived", "started", "finished"))
    due = np.minimum(arrived + round(cloud.batching.max_wait_ms * MILLISECOND), started)
    _, first = np.unique(np.stack([log["replica"][rows], started, finished]), axis=1, return_index=True)
    one, batch_one = np.ones(len(rows), np.int64), np.ones(len(first), np.int64)
    time = np.concatenate([arrived, started, due, started, started[first], finished[first]])
    kinds = (one, -one, one, -one, batch_one, -batch_one)
    kind = np.repeat(np.arange(6) // 2, [len(k) for k in kinds])
    change = np.concatenate(kinds)
    order = np.argsort(time, kind="stable")
    time, kind, change = time[order], kind[order], change[order]
    last = np.append(np.diff(time) > 0, True)  # the state that lasts, once all changes of a moment are made
    waiting, overdue, working = (np.cumsum(np.where(kind == k, change, 0))[last] for k in range(3))
    wrong = (working < cloud.replicas) & ((overdue > 0) | (waiting >= cloud.batching.max_size))
    if wrong.any():
        since = time[last][wrong]
        until = np.append(time[last], np.iinfo(np.int64).max)[1:][wrong]
        place = np.minimum(np.searchsorted(until, arrived, side="right"), len(since) - 1)
        waits = (started > since[place]) & (arrived < until[place])
        _demand_rows(~waits, "no replica rests while work waits", log, rows)
