"""`recfleet validate` holds on the engine, and fails on one that is broken a little."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

import simulator.run
from analysis import queueing
from scenarios.errors import WriteError
from simulator.cloud.static import StaticStation
from simulator.commands.validate import beside, command, rows
from simulator.commands.validate.beside import side_by_side
from simulator.commands.validate.cases import CASES
from simulator.commands.validate.rows import Validation, validate
from simulator.commands.validate.worlds import closed, poisson
from simulator.request import Request
from simulator.series import series
from simulator.world import World

Start = Callable[[StaticStation, list[Request]], None]
SOUND: Start = StaticStation._start
MM1 = CASES[:1]
MG1 = CASES[3]


def small(broken_start: Start | None, monkeypatch: pytest.MonkeyPatch) -> Validation:
    if broken_start is not None:
        monkeypatch.setattr(StaticStation, "_start", broken_start)
    return validate(MM1, (0.7,), share=0.1)


def test_every_queue_is_as_theory_says() -> None:
    found = validate(CASES, (0.7,), share=0.1)
    assert found.holds, found
    assert {row.quantity for row in found.rows} >= {"mean_wait", "mean_sojourn", "loss", "throughput", "little"}


def test_every_customer_leaves_when_it_leaves_ciw() -> None:
    pytest.importorskip("ciw")
    found = side_by_side(3, 1000)
    assert len(found) == 8 * len(rows.UTILISATIONS)
    assert all(row.holds for row in found), found


def every_thousandth(broken: Start) -> Start:
    number = count(1)

    def start(station: StaticStation, batch: list[Request]) -> None:
        (SOUND if next(number) % 1000 else broken)(station, batch)

    return start


def without_work(station: StaticStation, batch: list[Request]) -> None:
    table, station._table = station._table, [0] * len(station._table)
    SOUND(station, batch)
    station._table = table


@pytest.mark.parametrize("broken", [without_work, lambda station, batch: None], ids=["let go", "forgotten"])
def test_a_server_that_skips_one_customer_in_a_thousand_is_found_out(
    broken: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert small(None, monkeypatch).holds
    assert not small(every_thousandth(broken), monkeypatch).holds


def test_a_server_one_percent_too_slow_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control variates take that off the waits as if it were chance; only the services together tell."""
    spread = {"kind": "lognormal", "sigma": 0.2}  # so that a few services tell what it takes millions of otherwise
    even = replace(
        MG1,
        cloud=MG1.cloud | {"service": MG1.cloud["service"] | {"spread": spread}},
        theory=lambda rate: queueing.mg1_lognormal(rate, 1, 0.2),
    )
    assert validate([even], (0.7,), share=0.3).holds
    build = StaticStation.__init__

    def slow(station: StaticStation, *parts: Any) -> None:
        build(station, *parts)
        station._table = [1.01 * ticks for ticks in station._table]

    monkeypatch.setattr(StaticStation, "__init__", slow)
    found = {row.quantity: row for row in validate([even], (0.7,), share=0.3).rows}
    assert not found["mean_service"].holds
    assert found["mean_wait"].holds


def test_arrivals_that_are_too_many_and_thoughts_too_long_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(cloud: dict[str, Any], rate: float, requests: int, *rest: Any) -> World:
        return poisson(cloud, 1.1 * rate, round(1.1 * requests), *rest)

    def idle(cloud: dict[str, Any], devices: int, think_s: float, requests: int) -> World:
        return closed(cloud, devices, 1.1 * think_s, requests)

    monkeypatch.setattr(rows, "poisson", hasty)
    monkeypatch.setattr(rows, "closed", idle)
    found = validate([CASES[0], CASES[-1]], (0.3,), share=0.1)
    assert {"arrivals", "mean_think"} <= {row.quantity for row in found.rows if not row.holds}


def test_a_queue_out_of_order_one_time_in_a_thousand_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mean can tell, but the books do."""
    number, arrive = count(1), StaticStation.arrive

    def jumps(station: StaticStation, request: Request) -> None:
        arrive(station, request)
        if not next(number) % 1000 and len(station.line) > 1:
            station.line.append(station.line.popleft())

    monkeypatch.setattr(StaticStation, "arrive", jumps)
    found = small(None, monkeypatch)
    assert not found.holds
    assert "first come, first served" in found.broken[0]


def test_a_series_that_shows_too_short_a_queue_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little's law holds one part of the program against another."""

    def forgetful(*parts: Any) -> pd.DataFrame:
        whole = series(*parts)
        return whole.assign(waiting=0.9 * whole["waiting"])

    monkeypatch.setattr(simulator.run, "series", forgetful)
    assert {row.quantity for row in small(None, monkeypatch).rows if not row.holds} == {"little"}


def test_a_file_that_cannot_be_written_is_told_of_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "validate", lambda **_: pytest.fail("worked for nothing"))
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="cannot be written"):
        CliRunner().invoke(
            command, ["--json", str(tmp_path / "file" / "x.json")], standalone_mode=False, catch_exceptions=False
        )


def test_rows_are_written_for_other_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "validate", partial(validate, MM1, (0.3,)))
    monkeypatch.setattr(beside, "side_by_side", partial(side_by_side, requests=100))
    shown = CliRunner().invoke(command, ["--quick", "--json", str(tmp_path / "rows.json")], standalone_mode=False)
    assert shown.return_value == 0
    written = json.loads((tmp_path / "rows.json").read_text())
    keys = ["case", "utilisation", "quantity", "theory", "simulated", "low", "high", "relative_error", "holds"]
    assert [list(row) for row in written] == [keys] * len(written)
    assert all(row["case"] in shown.output for row in written)
