"""The books of a run: what must hold of every request log, checked after every run.

The checks read the log alone and share no code with the engine: a server that forgets a customer, works twice or rests
while somebody waits shows in the times that it wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scenarios.schema.cloud import Cloud
from simulator import labour
from simulator.clock import NEVER
from simulator.cloud.accounts import Accounts
from simulator.outcomes import IntArray
from simulator.records import Log
from simulator.request import ABANDONED, ANSWERED, IN_FLIGHT, LOST, REJECTED, STATUSES, TIMED_OUT
from simulator.stations import BrokenLawError

Part = Mapping[str, IntArray]
"""A stretch of the log."""


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


def balance(log: Log, issued: int, accounts: Accounts, cloud: Cloud) -> Ledger:
    """Close the books. `issued` and `accounts` are what the engine says of itself. Raises `LedgerError`."""
    counts = np.zeros(len(STATUSES), np.int64)
    first = sent = 0
    for part in log.parts():
        counts += np.bincount(part["status"], minlength=len(STATUSES))
        until = first + len(part["number"])
        if log.requests != issued or not np.array_equal(part["number"], np.arange(first, until)):
            raise LedgerError(f"{issued} requests were issued, but the log holds {log.requests}, or others")
        demand(np.diff(part["sent"], prepend=sent) >= 0, "requests are numbered as they are sent", part)
        _times_rise(part)
        _statuses_fit(part)
        first, sent = until, part["sent"][-1] if until > first else sent
    try:
        labour.check(log, accounts, cloud)
    except BrokenLawError as error:
        for part in log.parts():
            demand(~np.isin(part["number"], error.rows), error.law, part)
        raise LedgerError(error.law) from error
    return Ledger(issued=issued, **dict(zip(STATUSES, counts.tolist(), strict=True)))


def demand(holds: npt.NDArray[np.bool_], law: str, part: Part) -> None:
    """Raise with the first offending records unless the law holds of every request of this part of the log."""
    if not holds.all():
        rows = np.flatnonzero(~holds)
        shown = [{name: int(column[row]) for name, column in part.items()} for row in rows[:3]]
        raise LedgerError(f"{law}: broken by {len(rows)} of {len(holds)} requests, such as {shown}")


def _times_rise(log: Part) -> None:
    before = log["intended"]
    demand(before >= 0, "a request is meant for a time after the start", log)
    for name in ("sent", "arrived", "left", "started", "finished", "answered"):
        here = log[name]
        demand((here == NEVER) | (here >= before), f"{name}: time never goes backwards", log)
        before = np.where(here == NEVER, before, here)
    reached, settled = log["reached"], log["settled"]
    done = np.maximum(log["left"], log["finished"])
    demand(
        (reached == NEVER) | ((done != NEVER) & (reached >= done)), "a reply reaches its device after it is sent", log
    )
    demand((log["answered"] == NEVER) | (log["answered"] == reached), "an answer comes with its reply", log)
    demand(settled >= log["sent"], "a device stops waiting for every request, not before it is sent", log)


def _statuses_fit(log: Part) -> None:
    status = log["status"]
    arrived, started, finished, answered = (log[k] != NEVER for k in ("arrived", "started", "finished", "answered"))
    demand(answered | (status != ANSWERED), "no request is answered without an answer", log)
    given_up = np.isin(status, (TIMED_OUT, ABANDONED))
    demand(~answered | (status == ANSWERED) | given_up, "an answer that is used was awaited, or came too late", log)
    kept = log["left"] != NEVER
    demand(~(kept & started), "nobody leaves without work on him who was worked on", log)
    demand(~answered | finished | (kept & (log["cut"] >= 0)), "no answer that nobody made", log)
    demand(~started | arrived, "no work on a request that did not arrive", log)
    demand(started == finished, "work begun is finished", log)
    demand((status != REJECTED) | (arrived & ~started), "what is rejected has arrived and is not worked on", log)
    demand(arrived | ~np.isin(status, (ANSWERED, REJECTED)), "no reply to a request that did not arrive", log)
    demand(
        arrived | np.isin(status, (LOST, IN_FLIGHT, TIMED_OUT, ABANDONED)),
        "only a request that is lost or given up fails to arrive",
        log,
    )
    demand((log["applied"] < 0) | answered, "only an answer is shown", log)
    reach = np.maximum(log["step"], log["cut"])
    demand((log["applied"] < 0) | (log["applied"] >= reach), "no answer is shown before what it knows of", log)
