"""Cells: one point of a sweep in one replication, named by everything that its numbers depend on."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout
from pyarrow import Table
from pyarrow.parquet import ParquetWriter

from scenarios.cache import content_key
from scenarios.errors import WriteError
from simulator.policies.base import Point

UNFINISHED = ".unfinished-"
WRITTEN = ("scenario.yaml", "grid.json", "failures.txt", "curve.csv", "curve.png", "summary.json", "timings.json")
ROOMS = ("analysis", "models", "scenarios", "simulator")


@dataclass(frozen=True)
class Cell:
    """A point and a replication. `key` is a content hash; two cells with one key hold the same numbers."""

    point: Point
    replication: int
    seed: int
    key: str

    @property
    def folder(self) -> str:
        """Name of the cell's folder: readable first, unambiguous last."""
        value = "" if self.point.parameter is None else f"-{self.point.parameter:g}"
        return f"{self.point.name}{value}-r{self.replication}-{self.key}"


def replication_seed(seed: int, replication: int) -> int:
    """The seed of a replication, the same for every point of a sweep (common random numbers)."""
    return int.from_bytes(hashlib.sha256(f"{seed}/replication/{replication}".encode()).digest()[:7], "little")


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Digest of the sources that a cell's numbers come from: all rooms but the command line and the report."""
    digest = hashlib.sha256()
    root = Path(__file__).parent.parent
    for room in ROOMS:
        for source in sorted((root / room).rglob("*.py")):
            if not {"commands", "report"} & set(source.relative_to(root).parts):
                digest.update(source.read_bytes())
    return digest.hexdigest()


def grid(points: Sequence[Point], replications: int, seed: int, world: Mapping[str, object]) -> list[Cell]:
    """All cells of a sweep. `world` is what all of them share: the scenario without its sweep, data and models."""
    cells = []
    for point in points:
        for replication in range(replications):
            of_replication = replication_seed(seed, replication)
            what = (world, point.name, point.parameter, repr(point.policy), of_replication, code_digest())
            cells.append(Cell(point, replication, of_replication, content_key(*what)))
    return cells


def write(folder: Path, tables: Mapping[str, Iterable[pd.DataFrame]], facts: Mapping[str, object]) -> None:
    """Write a cell's tables, each in pieces, and facts as a folder that appears whole or not at all.

    A table has at least one piece, and a row group for each. Raises `WriteError`.
    """
    with _whole(folder) as scratch:
        for name, pieces in tables.items():
            _write_table(scratch / f"{name}.parquet", pieces)
        (scratch / "cell.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


def _write_table(path: Path, pieces: Iterable[pd.DataFrame]) -> None:
    groups = (Table.from_pandas(piece, preserve_index=False) for piece in pieces)
    first = next(groups)
    with ParquetWriter(path, first.schema) as file:
        for group in chain([first], groups):
            file.write_table(group)


def receive(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a cell that was finished elsewhere, from what its files hold. Raises `WriteError`."""
    with _whole(folder) as scratch:
        for name, content in files.items():
            (scratch / name).write_bytes(content)


@contextmanager
def alone(results: Path) -> Iterator[None]:
    """Remove what killed runs left unfinished in a folder of results; another run at work there is left in peace."""
    lock = FileLock(results / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield
        return
    with lock:
        for left in (results / "cells").glob(f"{UNFINISHED}*"):
            shutil.rmtree(left, ignore_errors=True)
        for name in WRITTEN:
            for left in results.glob(f".{name}.*"):  # as `atomic` names what it has in work
                left.unlink(missing_ok=True)
        yield


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder.parent))
    except OSError as error:
        raise WriteError(f"{folder}: cannot be written ({error.strerror or error})") from error
    try:
        yield scratch
        scratch.chmod(0o755)
        if read_facts(folder) is None:  # what is damaged makes room
            shutil.rmtree(folder, ignore_errors=True)
        scratch.rename(folder)
    except OSError as error:
        if not (folder / "cell.json").exists():  # somebody else may have finished the same cell first
            raise WriteError(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def read_facts(folder: Path) -> dict[str, Any] | None:
    """The facts of a finished cell, or None where there is none or it is damaged."""
    try:
        facts = json.loads((folder / "cell.json").read_text())
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """One table of a finished cell."""
    return pd.read_parquet(folder / f"{name}.parquet")
