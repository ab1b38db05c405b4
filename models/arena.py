"""Outcomes in memory and on disk: append-only columns, and where each row's block lies in them.

A row is a (user, cut); its block holds the outcomes of consecutive steps from the cut on. On disk a column is a file
that only grows, and an index says how much of each file counts: the index appears by one rename, so a run that is
killed while it appends leaves a longer file and an index that does not know. Lengths and checksums of the files are in
the index, so damage is found when it is opened. No torch here: a run that finds everything stored stays quick.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from scenarios.behaviour import IntArray
from scenarios.cache import atomic
from scenarios.errors import WriteError

FORMAT = 1


class Arena:
    """Blocks of several columns of numbers, found by row."""

    def __init__(self, rows: int, columns: Mapping[str, npt.DTypeLike]) -> None:
        self.offsets = np.zeros(rows, np.int64)
        self.lengths = np.zeros(rows, np.int64)
        self._columns: dict[str, npt.NDArray[Any]] = {name: np.empty(0, kind) for name, kind in columns.items()}
        self._used = 0
        self._unsaved: list[IntArray] = []

    def __getstate__(self) -> dict[str, Any]:
        """For another process: no more of the columns than is used."""
        return {**self.__dict__, "_columns": {name: self.column(name) for name in self._columns}}

    def column(self, name: str) -> npt.NDArray[Any]:
        """All of a column; a later `add` may move it, but leaves what was taken from it as it is."""
        return self._columns[name][: self._used]

    def add(self, rows: IntArray, lengths: IntArray, values: Mapping[str, npt.NDArray[Any]]) -> None:
        """Blocks of these rows, one after the other; they replace what the rows held."""
        self._append(rows, lengths, values)
        self._unsaved.append(rows)

    def _append(self, rows: IntArray, lengths: IntArray, values: Mapping[str, npt.NDArray[Any]]) -> None:
        total = int(lengths.sum())
        for name, column in self._columns.items():
            if self._used + total > len(column):
                grown = np.empty(max(2 * len(column), self._used + total), column.dtype)
                grown[: self._used] = column[: self._used]
                self._columns[name] = column = grown
            column[self._used : self._used + total] = values[name]
        self.offsets[rows] = self._used + np.cumsum(lengths) - lengths
        self.lengths[rows] = lengths
        self._used += total

    def at(self, starts: IntArray, counts: IntArray) -> IntArray:
        """Places in the columns of many stretches: counts[i] from starts[i] on, one stretch after the other."""
        before = np.cumsum(counts) - counts
        return np.repeat(starts - before, counts) + np.arange(counts.sum())

    def open(self, folder: Path, announce: Callable[[str], None]) -> None:
        """Take over what the folder holds; what is damaged there is dropped, with a line that says so."""
        with _locked(folder):
            try:
                index = _read_index(folder, len(self.offsets), self._columns)
                if index is None:
                    return
                values = {
                    name: _read_column(folder, name, index, column.dtype) for name, column in self._columns.items()
                }
            except _DamageError as error:
                announce(f"{folder}: the stored outcomes are damaged ({error}); they are made anew")
                (folder / "index.npz").unlink(missing_ok=True)
                return
        rows = np.flatnonzero(index.lengths)
        rows = rows[np.argsort(index.offsets[rows])]
        places = self.at(index.offsets[rows], index.lengths[rows])
        self._append(rows, index.lengths[rows], {name: column[places] for name, column in values.items()})

    def save(self, folder: Path) -> None:
        """Add to the folder what it does not have yet. Raises `WriteError` where it cannot be written."""
        if not self._unsaved:
            return
        with _locked(folder):
            try:
                index = _read_index(folder, len(self.offsets), self._columns)
            except _DamageError:
                index = None
            if index is None:
                index = _Index.empty(len(self.offsets), self._columns)
                rows = np.flatnonzero(self.lengths)
            else:
                rows = np.unique(np.concatenate(self._unsaved))
            rows = rows[self.lengths[rows] > index.lengths[rows]]
            places = self.at(self.offsets[rows], self.lengths[rows])
            try:
                for name, column in self._columns.items():
                    data = column[places].tobytes()
                    with (folder / f"{name}.bin").open("r+b" if index.bytes[name] else "wb") as file:
                        file.truncate(index.bytes[name])
                        file.seek(index.bytes[name])
                        file.write(data)
                    index.sums[name] = zlib.crc32(data, index.sums[name])
                    index.bytes[name] += len(data)
            except OSError as error:
                raise WriteError(f"{folder}: cannot be written ({error.strerror or error})") from error
            lengths = self.lengths[rows]
            index.offsets[rows] = index.used + np.cumsum(lengths) - lengths
            index.lengths[rows] = lengths
            index.used += len(places)
            index.write(folder)
        self._unsaved.clear()


class _DamageError(Exception):
    """Files that are not what was once written."""


class _Index:
    """Where the blocks lie in the files, and how much of the files counts."""

    def __init__(
        self, offsets: IntArray, lengths: IntArray, used: int, sizes: dict[str, int], sums: dict[str, int]
    ) -> None:
        self.offsets, self.lengths, self.used, self.bytes, self.sums = offsets, lengths, used, sizes, sums

    @classmethod
    def empty(cls, rows: int, columns: Mapping[str, npt.NDArray[Any]]) -> _Index:
        nothing = np.zeros(rows, np.int64)
        return cls(nothing, nothing.copy(), 0, dict.fromkeys(columns, 0), dict.fromkeys(columns, 0))

    def write(self, folder: Path) -> None:
        marks = json.dumps({"format": FORMAT, "used": self.used, "bytes": self.bytes, "sums": self.sums})
        with atomic(folder / "index.npz") as scratch, scratch.open("wb") as file:
            np.savez(file, offsets=self.offsets, lengths=self.lengths, marks=np.frombuffer(marks.encode(), np.uint8))


def _locked(folder: Path) -> FileLock:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / ".lock")
    except OSError as error:
        raise WriteError(f"{folder}: cannot be written ({error.strerror or error})") from error


def _read_index(folder: Path, rows: int, columns: Mapping[str, npt.NDArray[Any]]) -> _Index | None:
    """What the folder's index says, None where it has none. Raises `_DamageError` where it does not fit."""
    path = folder / "index.npz"
    if not path.is_file():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            offsets, lengths = file["offsets"], file["lengths"]
            marks = json.loads(file["marks"].tobytes())
        index = _Index(offsets, lengths, marks["used"], marks["bytes"], marks["sums"])
        fits = (
            marks["format"] == FORMAT
            and offsets.shape == lengths.shape == (rows,)
            and all(index.bytes[name] == index.used * column.dtype.itemsize for name, column in columns.items())
            and set(index.sums) == set(columns)
            and int((offsets + lengths).max(initial=0)) <= index.used
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _DamageError(f"index: {error}") from error
    if not fits:
        raise _DamageError("index: of other data")
    return index


def _read_column(folder: Path, name: str, index: _Index, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    try:
        with (folder / f"{name}.bin").open("rb") as file:
            data = file.read(index.bytes[name])
    except OSError as error:
        raise _DamageError(f"{name}: {error.strerror or error}") from error
    if len(data) < index.bytes[name]:
        raise _DamageError(f"{name}: {len(data)} of {index.bytes[name]} bytes")
    if zlib.crc32(data) != index.sums[name]:
        raise _DamageError(f"{name}: its checksum does not fit")
    return np.frombuffer(data, kind)
