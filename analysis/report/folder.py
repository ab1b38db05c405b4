"""A folder of results, read and held against the grid of cells that its run set out to make."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from analysis.curve import USER_SUMS, Digest, by_point, curve
from analysis.errors import TableError

SHOWN = 5
"""Missing cells that a refusal names."""


@dataclass(frozen=True)
class Cell:
    """A finished cell: its folder, its `cell.json` and what it boiled down to."""

    folder: Path
    facts: Mapping[str, Any]
    digest: Digest

    def table(self, name: str, columns: list[str] | None = None) -> pd.DataFrame:
        """Columns, or all, of one of its tables (docs/design.md). Raises `TableError`."""
        return _parquet(self.folder / f"{name}.parquet", columns)


@dataclass(frozen=True)
class Results:
    """A folder of results.

    scenario: as plain data; scenario_text: the file. facts: `summary.json`, empty where a run was stopped before it.
    timings: seconds by phase. cells: what is finished, in the order of the sweep. missing: folders of the others.
    """

    folder: Path
    scenario: Mapping[str, Any]
    scenario_text: str
    facts: Mapping[str, Any]
    timings: Mapping[str, float]
    cells: tuple[Cell, ...]
    missing: tuple[str, ...]
    curve: pd.DataFrame = field(repr=False)

    @property
    def name(self) -> str:
        """The scenario's name."""
        return str(self.scenario.get("name") or self.folder.name)

    @property
    def question(self) -> str:
        """What the scenario asks; its name where it asks nothing."""
        return str(self.scenario.get("question") or self.name)

    @property
    def objective_ms(self) -> float | None:
        """The 95th percentile of latency that the scenario asks for at most, where it asks for one."""
        found = (self.scenario.get("objective") or {}).get("p95_latency_s")
        return None if found is None else 1000 * float(found)

    @property
    def whole_points(self) -> list[Digest]:
        """Digests of the points that have the same replications, as many as any has: these can be paired."""
        points = [
            (tuple(one.summary["replication"] for one in each), each) for each in by_point(self._digests).values()
        ]
        often = Counter(replications for replications, _ in points)
        most = max(often, key=lambda replications: (len(replications), often[replications]))
        return [one for replications, each in points if replications == most for one in each]

    @property
    def _digests(self) -> list[Digest]:
        return [cell.digest for cell in self.cells]


def read(folder: Path, *, partial: bool = False) -> Results:
    """Read a folder that `recfleet run` wrote.

    partial: take what is finished of a run that was stopped. Raises `TableError` where files are missing or damaged,
    where the scenario is not the one that was run, and, unless partial, where cells are missing.
    """
    grid = _json(folder / "grid.json", "expected a folder of results that `recfleet run` wrote")
    text, scenario = _scenario(folder / "scenario.yaml")
    if grid.get("scenario") != hashlib.sha256(text.encode()).hexdigest():
        raise TableError(f"{folder / 'scenario.yaml'}: is not the scenario that was run here last; run it again")
    wanted = grid.get("cells")
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise TableError(f"{folder / 'grid.json'}: is damaged, expected the folders of the cells under 'cells'")
    found = {name: _cell(folder / "cells" / name) for name in wanted}
    cells = tuple(cell for cell in found.values() if cell is not None)
    missing = tuple(name for name, cell in found.items() if cell is None)
    if missing and not partial:
        names = ", ".join(missing[:SHOWN]) + (", …" if len(missing) > SHOWN else "")
        raise TableError(
            f"{folder}: {len(missing)} of {len(wanted)} cells are not finished ({names}); "
            "run the scenario again to finish them, or give --partial to report what there is"
        )
    if not cells:
        raise TableError(f"{folder}: no cell is finished, so there is nothing to report")
    try:
        points = curve(cell.digest for cell in cells)
    except KeyError as error:
        raise TableError(
            f"{folder}: its cells lack {error}, as another version of recfleet made them; run it again"
        ) from error
    facts = {} if missing else _facts(folder / "summary.json", points, partial)
    timings = _json(folder / "timings.json", "") if (folder / "timings.json").is_file() else {}
    return Results(folder, scenario, text, facts, timings, cells, missing, points)


def _facts(path: Path, points: pd.DataFrame, partial: bool) -> dict[str, Any]:
    """The summary, if it is that of these points: a run may have been stopped after its last cell."""
    found = (
        _json(path, "the run was stopped just before its end; run it again") if path.is_file() or not partial else {}
    )
    told = [(point.get("policy"), point.get("requests")) for point in found.get("points", [])]
    if told == list(zip(points["policy"], points["requests"].tolist(), strict=True)):
        return found
    if partial:
        return {}
    raise TableError(f"{path}: is of an earlier run; the last one was stopped just before its end; run it again")


def _cell(folder: Path) -> Cell | None:
    """A finished cell, None where there is none."""
    if not (folder / "cell.json").is_file():
        return None
    facts = _json(folder / "cell.json", "")
    if not isinstance(facts.get("summary"), dict):
        raise TableError(f"{folder / 'cell.json'}: holds no summary; delete the folder and run the scenario again")
    return Cell(folder, facts, Digest(facts["summary"], _parquet(folder / "users.parquet", ["user", *USER_SUMS])))


def _scenario(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        found = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise TableError(f"{path}: cannot be read as a scenario ({error})") from error
    if not isinstance(found, dict):
        raise TableError(f"{path}: holds no scenario, expected a mapping of keys")
    return text, found


def _json(path: Path, expected: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TableError(f"{path}: is missing; {expected}") from error
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: cannot be read ({error})") from error
    if not isinstance(found, dict):
        raise TableError(f"{path}: is damaged, expected a mapping")
    return found


def _parquet(path: Path, columns: list[str] | None) -> pd.DataFrame:
    try:
        return pd.read_parquet(path, columns=columns)
    except FileNotFoundError as error:
        raise TableError(f"{path}: is missing; an older version wrote this folder, or it is not whole") from error
    except (OSError, ValueError, KeyError) as error:
        raise TableError(f"{path}: cannot be read ({error})") from error


def flat(value: object, name: str = "") -> dict[str, str]:
    """Nested plain data as dotted keys and plain text; a list of plain values stays on one line."""
    inner: list[tuple[str, object]] = []
    if isinstance(value, Mapping):
        inner = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        inner = [(str(place), item) for place, item in enumerate(value)]
    if not inner:
        return {name: value if isinstance(value, str) else json.dumps(value, default=str)}
    lines: dict[str, str] = {}
    for key, item in inner:
        lines |= flat(item, f"{name}.{key}" if name else key)
    return lines
