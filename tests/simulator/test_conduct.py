"""The books of the devices find out every entry that breaks the rules of the fleet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from books import columns_of, log_of
from worlds import outcomes, policy, world

import simulator.run
from simulator.clock import SECOND
from simulator.conduct import conduct
from simulator.ledger import LedgerError
from simulator.outcomes import IntArray
from simulator.rehearse import rehearse
from simulator.request import ABANDONED, ANSWERED, IN_FLIGHT, REJECTED, TIMED_OUT
from simulator.run import run

Log = dict[str, IntArray]
FLEET: dict[str, Any] = {
    "devices": 40,
    "timeout_s": 0.2,
    "retry": {"kind": "backoff", "attempts": 3, "first_s": 0.05},
    "churn": {"kind": "exponential", "lifetime_s": 20},
    "horizon_s": 30,
}


def books(monkeypatch: pytest.MonkeyPatch, **keys: Any) -> tuple[Any, ...]:
    """What a run hands to `conduct`."""
    seen: list[tuple[Any, ...]] = []
    monkeypatch.setattr(simulator.run, "conduct", lambda *args: seen.append(args))
    pace = {"kind": "drawn", "think_time_s": 0.5, "start_spread_s": 1}
    network = {"rtt_ms": 100, "loss": 0.1}
    cloud = {"queue_limit": 3, "batching": {"max_size": 2}, "service": {"milliseconds": {1: 20, 2: 30}}}
    w, p = world([60] * 4, None, pace, {**FLEET, **keys}, network, cloud), policy("always")
    run(w, p, 1, rehearse(w, [p], 1, outcomes(w)))
    conduct(*seen[0])
    log, *rest = seen[0]
    return columns_of(log), *rest


def one(log: Log, **wanted: int) -> int:
    """A row in the middle of those with these values."""
    rows = np.flatnonzero(np.logical_and.reduce([log[name] == value for name, value in wanted.items()]))
    return int(rows[len(rows) // 2])


def put(name: str, value: int, **wanted: int) -> Callable[[Log], None]:
    def cook(log: Log) -> None:
        log[name][one(log, **wanted)] = value

    return cook


def shift(name: str, by: int, **wanted: int) -> Callable[[Log], None]:
    def cook(log: Log) -> None:
        log[name][one(log, **wanted)] += by

    return cook


def forget(**wanted: int) -> Callable[[Log], None]:
    def cook(log: Log) -> None:
        row = one(log, **wanted)
        for name, column in log.items():
            log[name] = np.delete(column, row)

    return cook


@pytest.mark.parametrize(
    "cook",
    [
        shift("attempt", 1, attempt=1),
        shift("attempt", -1, attempt=2),
        shift("attempt", 1, attempt=3),
        put("step", 0, attempt=2),
        put("status", ANSWERED, attempt=1, status=REJECTED),
        put("status", TIMED_OUT, status=ANSWERED),
        put("status", ABANDONED, status=REJECTED, attempt=1),
        put("status", IN_FLIGHT, status=ANSWERED),
        shift("answered", SECOND, status=ANSWERED),
        shift("settled", -1, status=TIMED_OUT),
        shift("settled", 1, status=REJECTED),
        put("settled", 100 * SECOND, status=ABANDONED),
        shift("sent", 40 * SECOND, status=ANSWERED),
        put("applied", 10_000, status=ANSWERED),
        put("step", 10_000, status=ANSWERED),
        forget(attempt=1, status=REJECTED),
    ],
)
@pytest.mark.parametrize("piece", [10**6, 100])
def test_every_cooked_entry_is_found_out(
    monkeypatch: pytest.MonkeyPatch, cook: Callable[[Log], None], piece: int
) -> None:
    log, *rest = books(monkeypatch)
    cook(log)
    with pytest.raises(LedgerError):
        conduct(log_of(log, 40, piece), *rest)


def test_replacing_a_request_needs_a_rule_that_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    log, fleet, *rest = books(monkeypatch, flight="replace", retry={"kind": "none"})
    with pytest.raises(LedgerError, match="goes on does so by the rules"):
        conduct(log_of(log, 40), fleet.model_copy(update={"flight": "single"}), *rest)


def test_late_answers_need_a_rule_that_uses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    log, fleet, *rest = books(monkeypatch, late_answers="use")
    with pytest.raises(LedgerError, match="a late answer is used only by the rule"):
        conduct(log_of(log, 40), fleet.model_copy(update={"late_answers": "discard"}), *rest)
