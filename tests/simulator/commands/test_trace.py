"""`recfleet trace` finds the cell that is meant, and writes one file that a browser opens."""

import gzip
import json

import pytest
from click.testing import CliRunner
from made_up import make

from analysis.errors import TableError
from scenarios.errors import UserError
from simulator.commands import COMMANDS
from simulator.commands import trace as module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make(tmp_path_factory.mktemp("results") / "made-up", {"never": [None], "always": [None]}, users=10)


def trace(*arguments):
    return CliRunner().invoke(module.command, [str(argument) for argument in arguments], catch_exceptions=False)


def test_the_first_cell_that_made_requests_is_drawn_beside_the_results(folder):
    output = trace(folder).output
    assert str(folder / "trace.json.gz") in output
    assert output.rstrip().endswith("of 002")  # 000 and 001 never ask
    found = json.loads(gzip.decompress((folder / "trace.json.gz").read_bytes()))
    assert {event["ph"] for event in found["traceEvents"]} >= set("MXCstf")


def test_the_name_of_the_file_says_whether_it_is_compressed(folder, tmp_path):
    plain, packed, again = (tmp_path / name for name in ("a.json", "a.json.gz", "b.json.gz"))
    for target in (plain, packed, again):
        trace(folder, "--cell", "003", "--devices", 2, "--out", target)
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert packed.read_bytes() == again.read_bytes(), "the same bytes each time"
    names = {e["args"]["name"] for e in json.loads(plain.read_text())["traceEvents"] if e["name"] == "thread_name"}
    assert sum(name.startswith("device ") for name in names) == 2


def test_a_cell_is_named_by_how_its_name_begins_where_only_one_does(folder, tmp_path):
    with pytest.raises(UserError, match="4 of its cells begin so, expected one of 000, 001, 002, 003"):
        trace(folder, "--cell", "00", "--out", tmp_path / "x.json")
    with pytest.raises(UserError, match="none of its cells begins so"):
        trace(folder, "--cell", "always", "--out", tmp_path / "x.json")
    assert not (tmp_path / "x.json").exists()


def test_a_cell_without_its_tables_is_a_users_mistake(folder, tmp_path):
    (folder / "cells" / "001" / "shifts.parquet").rename(tmp_path / "away")
    with pytest.raises(TableError, match=r"shifts\.parquet"):
        trace(folder, "--cell", "001", "--out", tmp_path / "x.json")


def test_the_command_is_named():
    assert "trace" in COMMANDS
