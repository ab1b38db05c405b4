"""Reading a user's own tables (CSV, Parquet, RecBole's typed tab-separated files), with line numbers to complain by."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from scenarios.behaviour import IntArray
from scenarios.errors import DataError

RECBOLE = (".inter", ".item")
TEXT = (".csv", ".tsv", ".txt", *RECBOLE)
PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class Rows:
    """Some columns of a table.

    frame: the columns asked for, text files as text. places: [rows] the line (in Parquet: row) each stands in, from 1.
    unit: `line` or `row`. broken: lines that are no rows at all, and why.
    """

    frame: pd.DataFrame
    places: IntArray
    unit: str
    broken: dict[int, str]


def header(path: Path) -> dict[str, str]:
    """Column names and RecBole's types of them (empty elsewhere). Raises `DataError`."""
    if _kind(path) in PARQUET:
        return dict.fromkeys(_parquet(path).names, "")
    names = next(csv.reader([_first_line(path)], delimiter=_separator(path)))
    if _kind(path) not in RECBOLE:
        return dict.fromkeys((name.strip() for name in names), "")
    return {name: kind for name, _, kind in (typed.strip().partition(":") for typed in names)}


def rows(path: Path, wanted: Sequence[str]) -> Rows:
    """Read some columns. Raises `DataError` where one is missing, or the file cannot be read."""
    names = header(path)
    for name in wanted:
        if name not in names:
            near = get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise DataError(f"{path}: has no column {name!r}, its first line names {', '.join(names)}{hint}")
    columns = list(dict.fromkeys(wanted))
    try:
        if _kind(path) in PARQUET:
            frame = pa.parquet.read_table(path, columns=columns).to_pandas()
            return Rows(frame, np.arange(1, len(frame) + 1), "row", {})
        return _text_rows(path, list(names), columns)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def _text_rows(path: Path, names: list[str], columns: list[str]) -> Rows:
    if len(set(names)) != len(next(csv.reader([_first_line(path)], delimiter=_separator(path)))):
        raise DataError(f"{path}: two columns have the same name ({', '.join(names)})")
    broken: dict[int, str] = {}

    def note(row: Any) -> str:
        broken[row.number] = f"has {row.actual_columns} fields, expected {row.expected_columns}"
        return "skip"

    table = pa.csv.read_csv(
        path,
        # One thread, or lines have no numbers.
        read_options=pa.csv.ReadOptions(use_threads=False, skip_rows=1, column_names=names),
        parse_options=pa.csv.ParseOptions(
            delimiter=_separator(path),
            quote_char=False if _kind(path) in RECBOLE else '"',
            invalid_row_handler=note,
            ignore_empty_lines=False,  # or the numbers no longer fit the lines
        ),
        convert_options=pa.csv.ConvertOptions(
            include_columns=columns, column_types={name: pa.string() for name in columns}, strings_can_be_null=False
        ),
    )
    frame = table.to_pandas()
    lines = np.setdiff1d(np.arange(2, 2 + len(frame) + len(broken)), np.fromiter(broken, np.int64, len(broken)))
    blank = np.asarray((frame == "").all(axis=1))
    return Rows(frame[~blank].reset_index(drop=True), lines[~blank], "line", broken)


def _kind(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    for kind in (*TEXT, *PARQUET):
        if name.endswith(kind):
            return kind
    raise DataError(f"{path}: unknown kind of file, expected one that ends in {', '.join((*TEXT, *PARQUET))}")


def _parquet(path: Path) -> Any:
    try:
        return pa.parquet.read_schema(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: is not a Parquet file ({error})") from error


def _first_line(path: Path) -> str:
    def opened() -> TextIO:
        if path.name.lower().endswith(".gz"):
            return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
        return path.open(encoding="utf-8-sig", newline="")

    try:
        with opened() as file:
            line = file.readline().rstrip("\r\n")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not line.strip():
        raise DataError(f"{path}: is empty, expected a first line that names the columns")
    return line


def _separator(path: Path) -> str:
    if _kind(path) in (*RECBOLE, ".tsv"):
        return "\t"
    line = _first_line(path)
    return max(",\t;|", key=line.count)
