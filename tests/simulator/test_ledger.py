"""The books are worth their name only if every way of cooking them is found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from books import columns_of, log_of
from worlds import outcomes, policy, world

import simulator.run
from simulator import records
from simulator.clock import MILLISECOND
from simulator.cloud import StaticStation
from simulator.cloud.accounts import Accounts
from simulator.ledger import LedgerError, balance
from simulator.outcomes import IntArray
from simulator.rehearse import rehearse
from simulator.request import ANSWERED, LOST, REJECTED
from simulator.run import run
from simulator.watchdog import StalledError
from simulator.world import World

Log = dict[str, IntArray]


def busy_world() -> World:
    return world(
        [30] * 40,
        pace={"kind": "drawn", "think_time_s": 0.2, "start_spread_s": 1},
        network={"loss": 0.05},
        cloud={"queue_limit": 3, "batching": {"max_size": 2}, "service": {"milliseconds": {1: 20, 2: 30}}},
    )


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a run hands to its ledger."""
    seen: dict[str, Any] = {}

    def note(log: records.Log, issued: int, accounts: Accounts, cloud: Any) -> Any:
        seen.update(log=columns_of(log), issued=issued, accounts=accounts, cloud=cloud)
        return balance(log, issued, accounts, cloud)

    monkeypatch.setattr(simulator.run, "balance", note)
    w, p = busy_world(), policy("always")
    ledger = run(w, p, 1, rehearse(w, [p], 1, outcomes(w))).ledger
    assert min(ledger.answered, ledger.rejected, ledger.lost) > 0, "the world shows every fate"
    return seen


def served(log: Log) -> int:
    """A request in the middle of the run that was answered and used."""
    rows = np.flatnonzero((log["status"] == ANSWERED) & (log["applied"] >= 0) & (log["batch_size"] == 2))
    return int(rows[len(rows) // 2])


def shift(name: str, by: int) -> Callable[[Log], None]:
    def cook(log: Log) -> None:
        log[name][served(log)] += by

    return cook


def put(name: str, value: int) -> Callable[[Log], None]:
    def cook(log: Log) -> None:
        log[name][served(log)] = value

    return cook


@pytest.mark.parametrize(
    "cook",
    [
        shift("sent", 10**12),
        shift("arrived", -(10**10)),
        shift("arrived", 10**10),
        shift("started", 10**10),
        shift("started", -1),
        shift("finished", -(10**10)),
        shift("finished", 1),
        shift("answered", -(10**10)),
        shift("replica", 0x10000),
        shift("batch_size", 1),
        shift("number", 1),
        shift("reached", -(10**10)),
        shift("reached", 1),
        shift("settled", -(10**12)),
        put("settled", -1),
        put("reached", -1),
        put("finished", -1),
        put("started", -1),
        put("arrived", -1),
        put("answered", -1),
        put("status", LOST),
        put("status", REJECTED),
        put("applied", 0),
    ],
)
@pytest.mark.parametrize("piece", [10**6, 100])
def test_every_cooked_entry_is_found_out(books: dict[str, Any], cook: Callable[[Log], None], piece: int) -> None:
    log = {name: column.copy() for name, column in books["log"].items()}
    cook(log)
    with pytest.raises(LedgerError):
        balance(log_of(log, 40, piece), books["issued"], books["accounts"], books["cloud"])


def test_a_lost_row_and_a_wrong_account_are_found_out(books: dict[str, Any]) -> None:
    short = {name: column[:-1] for name, column in books["log"].items()}
    with pytest.raises(LedgerError, match="were issued"):
        balance(log_of(short, 40), books["issued"], books["accounts"], books["cloud"])
    idle = replace(books["accounts"], busy=[ticks + 1 for ticks in books["accounts"].busy])
    with pytest.raises(LedgerError, match="they worked"):
        balance(log_of(books["log"], 40), books["issued"], idle, books["cloud"])
    dear = replace(books["accounts"], usd=books["accounts"].usd * (1 + 1e-9))
    with pytest.raises(LedgerError, match="the bill"):
        balance(log_of(books["log"], 40), books["issued"], dear, books["cloud"])


def test_a_server_that_dawdles_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks at its queue a little late, one time in fifty."""
    take, calls = StaticStation._take, iter(range(10**9))

    def dawdle(self: StaticStation) -> None:
        if next(calls) % 50 == 49:
            self._clock.at(self._clock.tick + MILLISECOND, 0, lambda _: take(self))
        else:
            take(self)

    monkeypatch.setattr(StaticStation, "_take", dawdle)
    w, p = busy_world(), policy("always")
    with pytest.raises(LedgerError, match="no replica rests while work waits"):
        run(w, p, 1, rehearse(w, [p], 1, outcomes(w)))


def test_a_server_that_forgets_one_customer_in_a_thousand_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    arrive, calls = StaticStation.arrive, iter(range(10**9))

    def forget(self: StaticStation, request: Any) -> None:
        if next(calls) % 1000 != 100:
            arrive(self, request)

    monkeypatch.setattr(StaticStation, "arrive", forget)
    w, p = busy_world(), policy("always")
    with pytest.raises(StalledError, match="waiting for a replica"):
        run(w, p, 1, rehearse(w, [p], 1, outcomes(w)))
