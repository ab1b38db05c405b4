"""A recording of round trips, in a CSV file with the columns time_s and rtt_ms."""

from __future__ import annotations

import csv
import hashlib
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scenarios.errors import ScenarioError

COLUMNS = ("time_s", "rtt_ms")
FINEST_S = 1e-9
"""Rows that follow each other more closely than the simulated clock can tell have no length."""

Numbers = npt.NDArray[np.float64]


def recording(path: Path, sha256: str | None) -> dict[str, object]:
    """The keys `path` and `sha256` of a recording that can be read and is still the same. Raises `ScenarioError`."""
    read(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if sha256 is not None and sha256 != found:
        raise ScenarioError(f"{path}: is not the file with the sha256 {sha256} any more")
    return {"path": path, "sha256": found}


def read(path: Path) -> tuple[Numbers, Numbers]:
    """[rows] time_s, rising, and [rows] rtt_ms, of at least two rows. Raises `ScenarioError` with the line."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ScenarioError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    head = [name.strip() for name in rows[0]] if rows else []
    if missing := [name for name in COLUMNS if name not in head]:
        raise ScenarioError(f"{path}:1: column {missing[0]} is missing, expected {' and '.join(COLUMNS)}")
    places = [head.index(name) for name in COLUMNS]
    numbers: list[list[float]] = []
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        values = [_number(row[place]) if place < len(row) else math.nan for place in places]
        for name, value in zip(COLUMNS, values, strict=True):
            if not math.isfinite(value):
                raise ScenarioError(f"{path}:{line}: {name}: expected a finite number")
        if values[1] < 0:
            raise ScenarioError(f"{path}:{line}: rtt_ms: {values[1]:g}: expected a number at least 0")
        if numbers and values[0] < numbers[-1][0] + FINEST_S:
            raise ScenarioError(f"{path}:{line}: time_s: {values[0]:g} does not lie after {numbers[-1][0]:g}")
        numbers.append(values)
    if len(numbers) < 2:
        raise ScenarioError(f"{path}: has {len(numbers)} rows, expected at least 2")
    time, rtt = np.array(numbers).T
    return time, rtt


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
