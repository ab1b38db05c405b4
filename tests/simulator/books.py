"""Request logs as plain columns, which can be cooked, and logs made of them, cut as one likes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simulator.outcomes import IntArray
from simulator.records import COLUMNS, ROW, Log


def columns_of(log: Log) -> dict[str, IntArray]:
    """All of a log."""
    parts = list(log.parts())
    return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}


def log_of(columns: Mapping[str, IntArray], devices: int, piece: int = 1 << 30) -> Log:
    """A log of these columns, in pieces of so many rows."""
    rows = np.empty(len(columns["number"]), ROW)
    for name, column in columns.items():
        rows[name] = column
    return Log(lambda: iter(np.split(rows, range(piece, len(rows), piece))), devices)
