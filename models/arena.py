"""Outcomes in memory and on disk: append-only columns, and where each row's block lies in them.

A row is a (user, cut); its block holds the outcomes of consecutive steps from the cut on. On disk a column is a file
that only grows, and an index says how much of each file counts: the index appears by one rename, so a run that is
killed while it appends leaves a longer file and an index that does not know. Lengths and checksums of the files are in
the index, so damage is found when it is opened. Processes map the files and share one copy. No torch here: a run that
finds everything stored stays quick.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from scenarios.behaviour import IntArray
from scenarios.cache import atomic
from scenarios.errors import WriteError

FORMAT = 2


@dataclass(frozen=True)
class Load:
    """Blocks on their way from one process to another: rows, lengths, and columns with one block after the other."""

    rows: IntArray
    lengths: IntArray
    columns: Mapping[str, npt.NDArray[Any]]


class Arena:
    """Blocks of several columns of numbers, found by row.

    What is on disk is mapped, so that processes share it; what was added since lies in memory, in places after it.
    """

    def __init__(self, rows: int, columns: Mapping[str, npt.DTypeLike]) -> None:
        self.offsets = np.zeros(rows, np.int64)
        self.lengths = np.zeros(rows, np.int64)
        self._kinds = {name: np.dtype(kind) for name, kind in columns.items()}
        self._stored = 0
        self._mapped = self._nothing()
        self._used = 0
        self._added = self._nothing()
        self._unsaved: list[IntArray] = []

    def _nothing(self) -> dict[str, npt.NDArray[Any]]:
        return {name: np.empty(0, kind) for name, kind in self._kinds.items()}

    def __getstate__(self) -> dict[str, Any]:
        """For another process: no more of the columns than is used."""
        return {**self.__dict__, "_added": {name: column[: self._used] for name, column in self._added.items()}}

    @property
    def unsaved(self) -> bool:
        """Whether something was added that no folder has yet."""
        return bool(self._unsaved)

    def read(self, name: str, start: int, count: int) -> npt.NDArray[Any]:
        """[count] values of a column, all of one block; stays as it is while the column grows."""
        if start < self._stored:
            return self._mapped[name][start : start + count]
        start -= self._stored
        return self._added[name][start : start + count]

    def gather(self, name: str, starts: IntArray, counts: IntArray) -> npt.NDArray[Any]:
        """[sum(counts)] values of a column: counts[i] from starts[i] on, one stretch after the other."""
        before = np.cumsum(counts) - counts
        places = np.repeat(starts - before, counts) + np.arange(counts.sum())
        if not self._used:
            stored: npt.NDArray[Any] = self._mapped[name][places]
            return stored
        added = places >= self._stored
        values = np.empty(len(places), self._kinds[name])
        values[~added] = self._mapped[name][places[~added]]
        values[added] = self._added[name][places[added] - self._stored]
        return values

    def add(self, rows: IntArray, lengths: IntArray, values: Mapping[str, npt.NDArray[Any]]) -> None:
        """Blocks of these rows, one after the other; they replace what the rows held."""
        total = int(lengths.sum())
        for name, column in self._added.items():
            if self._used + total > len(column) or not column.flags.writeable:
                grown = np.empty(max(2 * len(column), self._used + total), column.dtype)
                grown[: self._used] = column[: self._used]
                self._added[name] = column = grown
            column[self._used : self._used + total] = values[name]
        if not self.offsets.flags.writeable:  # another process made them
            self.offsets, self.lengths = self.offsets.copy(), self.lengths.copy()
        self.offsets[rows] = self._stored + self._used + np.cumsum(lengths) - lengths
        self.lengths[rows] = lengths
        self._used += total
        self._unsaved.append(rows)

    def unload(self) -> Load:
        """What no folder has yet, for another arena; it is nobody's here from now on, as if it were saved."""
        rows = np.unique(np.concatenate([np.empty(0, np.int64), *self._unsaved]))
        self._unsaved.clear()
        offsets, lengths = self.offsets[rows], self.lengths[rows]
        return Load(rows, lengths, {name: self.gather(name, offsets, lengths) for name in self._kinds})

    def load(self, load: Load) -> None:
        """Take what another arena unloaded, but for blocks that are not longer than those that are here."""
        longer = load.lengths > self.lengths[load.rows]
        values = np.repeat(longer, load.lengths)
        columns = {name: column[values] for name, column in load.columns.items()}
        self.add(load.rows[longer], load.lengths[longer], columns)

    def open(self, folder: Path, announce: Callable[[str], None]) -> None:
        """Take over what the folder holds; what is damaged there is dropped, with a line that says so."""
        with _locked(folder):
            for left in folder.glob(".index.npz.*"):  # of a run that was killed; nobody else writes while we are here
                left.unlink(missing_ok=True)
            try:
                index = _read_index(folder, len(self.offsets), self._kinds)
                if index is not None:
                    index.check(folder)
                    self._map(folder, index)
                    (folder / "index.npz").touch()  # used: what was longest unused is the first to be removed
            except _DamageError as error:
                announce(f"{folder}: the stored outcomes are damaged ({error}); they are made anew")
                (folder / "index.npz").unlink(missing_ok=True)

    def save(self, folder: Path) -> None:
        """Add to the folder what it does not have yet, and take over what others added. Raises `WriteError`."""
        if not self._unsaved:
            return
        with _locked(folder):
            try:
                index = _read_index(folder, len(self.offsets), self._kinds)
            except _DamageError:
                index = None
            if index is None:
                index = _Index.empty(len(self.offsets), self._kinds)
                rows = np.flatnonzero(self.lengths)
            else:
                rows = np.unique(np.concatenate(self._unsaved))
            rows = rows[self.lengths[rows] > index.lengths[rows]]
            lengths = self.lengths[rows]
            try:
                for name in self._kinds:
                    data = self.gather(name, self.offsets[rows], lengths).tobytes()
                    with index.path(folder, name).open("r+b" if index.bytes[name] else "wb") as file:
                        file.truncate(index.bytes[name])
                        file.seek(index.bytes[name])
                        file.write(data)
                    index.sums[name] = zlib.crc32(data, index.sums[name])
                    index.bytes[name] += len(data)
            except OSError as error:
                raise WriteError(f"{folder}: cannot be written ({error.strerror or error})") from error
            index.offsets[rows] = index.used + np.cumsum(lengths) - lengths
            index.lengths[rows] = lengths
            index.used += int(lengths.sum())
            index.write(folder)
            for left in set(folder.glob("*.bin")) - {index.path(folder, name) for name in self._kinds}:
                left.unlink(missing_ok=True)
            self._map(folder, index)
        self._unsaved.clear()

    def refresh(self, folder: Path) -> None:
        """Take over what other processes have added to the folder since."""
        with _locked(folder):
            try:
                index = _read_index(folder, len(self.offsets), self._kinds)
            except _DamageError:
                return
            if index is not None and index.used != self._stored and not self._unsaved:
                self._map(folder, index)

    def _map(self, folder: Path, index: _Index) -> None:
        """Have all that an index knows of, and nothing else."""
        self._mapped, self._added = index.map(folder, self._kinds), self._nothing()
        self._stored, self._used = index.used, 0
        self.offsets, self.lengths = index.offsets, index.lengths


class _DamageError(Exception):
    """Files that are not what was once written."""


class _Index:
    """Where the blocks lie in the files, and how much of the files counts.

    files: part of the files' names, another one whenever they are begun anew, so that nobody who has mapped the old
    ones sees the new ones in their place.
    """

    def __init__(
        self, offsets: IntArray, lengths: IntArray, used: int, files: str, sizes: dict[str, int], sums: dict[str, int]
    ) -> None:
        self.offsets, self.lengths, self.used, self.files = offsets, lengths, used, files
        self.bytes, self.sums = sizes, sums

    @classmethod
    def empty(cls, rows: int, columns: Iterable[str]) -> _Index:
        nothing = np.zeros(rows, np.int64)
        return cls(nothing, nothing.copy(), 0, uuid4().hex[:8], dict.fromkeys(columns, 0), dict.fromkeys(columns, 0))

    def path(self, folder: Path, name: str) -> Path:
        return folder / f"{name}-{self.files}.bin"

    def write(self, folder: Path) -> None:
        told = {"format": FORMAT, "used": self.used, "files": self.files, "bytes": self.bytes, "sums": self.sums}
        marks = np.frombuffer(json.dumps(told).encode(), np.uint8)
        with atomic(folder / "index.npz") as scratch, scratch.open("wb") as file:
            np.savez(file, offsets=self.offsets, lengths=self.lengths, marks=marks)

    def check(self, folder: Path) -> None:
        """Raises `_DamageError` where a file is not what was written."""
        for name, size in self.bytes.items():
            try:
                with self.path(folder, name).open("rb") as file:
                    data = file.read(size)
            except OSError as error:
                raise _DamageError(f"{name}: {error.strerror or error}") from error
            if len(data) < size:
                raise _DamageError(f"{name}: {len(data)} of {size} bytes")
            if zlib.crc32(data) != self.sums[name]:
                raise _DamageError(f"{name}: its checksum does not fit")

    def map(self, folder: Path, kinds: Mapping[str, np.dtype[Any]]) -> dict[str, npt.NDArray[Any]]:
        """The columns, read-only, as plain arrays: processes are sent where the file is, other machines its content."""
        if not self.used:
            return {name: np.empty(0, kind) for name, kind in kinds.items()}
        return {
            name: np.asarray(np.memmap(self.path(folder, name), kind, "r", shape=(self.used,)))
            for name, kind in kinds.items()
        }


def _locked(folder: Path) -> FileLock:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / ".lock")
    except OSError as error:
        raise WriteError(f"{folder}: cannot be written ({error.strerror or error})") from error


def _read_index(folder: Path, rows: int, kinds: Mapping[str, np.dtype[Any]]) -> _Index | None:
    """What the folder's index says, None where it has none. Raises `_DamageError` where it does not fit."""
    path = folder / "index.npz"
    if not path.is_file():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            offsets, lengths = file["offsets"], file["lengths"]
            marks = json.loads(file["marks"].tobytes())
        index = _Index(offsets, lengths, marks["used"], marks["files"], marks["bytes"], marks["sums"])
        fits = (
            marks["format"] == FORMAT
            and offsets.shape == lengths.shape == (rows,)
            and all(index.bytes[name] == index.used * kind.itemsize for name, kind in kinds.items())
            and set(index.sums) == set(kinds)
            and int((offsets + lengths).max(initial=0)) <= index.used
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _DamageError(f"index: {error}") from error
    if not fits:
        raise _DamageError("index: of other data")
    return index
