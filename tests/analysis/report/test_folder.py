"""A folder is reported whole or not at all, unless the reader asks for less; every refusal names the file."""

import json
import shutil

import pytest
from made_up import SWEEP

from analysis.errors import TableError
from analysis.report.folder import flat, read


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def test_a_finished_run_is_read_in_the_order_of_its_sweep(results):
    assert [cell.digest.point[0] for cell in results.cells] == [
        p for p, v in SWEEP.items() for _ in v for _ in range(2)
    ]
    assert len(results.curve) == sum(map(len, SWEEP.values()))
    assert not results.missing
    assert results.question == "What does it cost to ask less often?"


def test_an_incomplete_grid_is_refused_unless_told(copy):
    shutil.rmtree(copy / "cells" / "004")
    with pytest.raises(TableError, match=r"1 of 22 cells are not finished \(004\).*--partial"):
        read(copy)
    found = read(copy, partial=True)
    assert found.missing == ("004",)
    assert len(found.cells) == 21
    assert found.facts == {}


def test_only_points_with_the_same_replications_are_paired(copy):
    # One point keeps its second replication only, another its first only: neither fits the others.
    lone = [json.loads((copy / "cells" / name / "cell.json").read_text()) for name in ("002", "005")]
    for name in ("002", "005"):
        shutil.rmtree(copy / "cells" / name)
    found = read(copy, partial=True)
    points = {digest.point for digest in found.whole_points}
    assert points == {cell.digest.point for cell in found.cells} - {(one["policy"], one["parameter"]) for one in lone}


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("grid.json", None, "expected a folder of results"),
        ("grid.json", "{", "cannot be read"),
        ("grid.json", "[]", "is damaged"),
        ("scenario.yaml", "name: other\n", "not the scenario that was run here last"),
        ("scenario.yaml", ": :", "cannot be read as a scenario"),
        ("scenario.yaml", "- 1", "expected a mapping"),
        ("summary.json", None, "stopped just before its end"),
        ("summary.json", '{"points": []}', "of an earlier run"),
        ("cells/003/cell.json", "{}", "holds no summary"),
        ("cells/003/users.parquet", "PAR1", "cannot be read"),
        ("cells/003/users.parquet", None, "is missing"),
    ],
)
def test_what_is_missing_or_damaged_is_named(copy, file, text, said):
    (copy / file).unlink() if text is None else (copy / file).write_text(text)
    with pytest.raises(TableError, match=said) as caught:
        read(copy)
    assert str(copy / file) in str(caught.value)


def test_a_damaged_list_of_cells_is_named(copy):
    grid = json.loads((copy / "grid.json").read_text())
    (copy / "grid.json").write_text(json.dumps(grid | {"cells": 7}))
    with pytest.raises(TableError, match=r"grid\.json: is damaged"):
        read(copy)


def test_nothing_finished_is_nothing_to_report(copy):
    shutil.rmtree(copy / "cells")
    with pytest.raises(TableError, match="no cell is finished"):
        read(copy, partial=True)


def test_flat_keeps_every_leaf():
    nested = {"a": {"b": 1, "c": [1, 2]}, "d": [{"e": "x"}, {"e": None}], "f": {}}
    assert flat(nested) == {"a.b": "1", "a.c": "[1, 2]", "d.0.e": "x", "d.1.e": "null", "f": "{}"}
