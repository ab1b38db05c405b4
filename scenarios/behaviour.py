"""Behaviour data: users' streams as three flat arrays and an item table, memory-mapped and read-only."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from scenarios.errors import DataError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

FORMAT = 1


@dataclass(frozen=True)
class Behaviour:
    """Streams of all users, one after the other, each in time order.

    offsets: [users + 1]; user u's stream is items[offsets[u]:offsets[u + 1]].
    items: [interactions] ids 0 .. n_items - 1, re-indexed at random so that neighbouring numbers mean nothing.
    times: [interactions] seconds since 1970-01-01 UTC, not falling within a stream.
    catalogue: a row an item, index 0 .. n_items - 1, columns `label` (the source's own id), `title`, `categories`
        (joined by `|`); both empty where the source has none.
    about: where it came from: name, source, citation, terms, counts.
    """

    name: str
    offsets: IntArray
    items: npt.NDArray[np.int32]
    times: FloatArray
    catalogue: pd.DataFrame
    about: Mapping[str, object] = field(default_factory=dict)
    digest: str = ""
    """SHA-256 of the arrays and the catalogue; names this content wherever something is derived from it."""

    @property
    def n_users(self) -> int:
        """Number of streams."""
        return len(self.offsets) - 1

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.catalogue)

    @property
    def lengths(self) -> IntArray:
        """[users] interactions of each stream."""
        return np.diff(self.offsets)

    def stream(self, user: int) -> npt.NDArray[np.int32]:
        """One user's items in time order."""
        return self.items[self.offsets[user] : self.offsets[user + 1]]


def build(
    name: str,
    offsets: IntArray,
    items: npt.NDArray[np.int32],
    times: FloatArray,
    catalogue: pd.DataFrame,
    about: Mapping[str, object],
) -> Behaviour:
    """Check the arrays, close them to writing, and name the content by its digest. Raises `DataError`."""
    if len(offsets) < 2 or len(items) == 0:
        raise DataError(f"{name}: holds no interactions")
    if len(items) != len(times) or offsets[0] != 0 or offsets[-1] != len(items) or (np.diff(offsets) < 1).any():
        raise DataError(f"{name}: the arrays do not fit together (offsets, items and times disagree)")
    if items.min() < 0 or items.max() >= len(catalogue):
        raise DataError(f"{name}: item ids must lie in 0 .. {len(catalogue) - 1}")
    falls = np.diff(times) < 0
    falls[offsets[1:-1] - 1] = False
    if falls.any():
        user = int(np.searchsorted(offsets, int(np.flatnonzero(falls)[0]), side="right")) - 1
        raise DataError(f"{name}: time stamps of user {user} are not in order")
    digest = hashlib.sha256(name.encode())
    for array in (offsets, items, times):
        digest.update(np.ascontiguousarray(array).data)
        array.setflags(write=False)
    digest.update(catalogue.to_json(orient="split").encode())
    return Behaviour(name, offsets, items, times, catalogue, dict(about), digest.hexdigest())


def save(behaviour: Behaviour, folder: Path) -> None:
    """Write the data set as a folder that appears whole or not at all. Raises `DataError`."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror or error})") from error
    try:
        for part in ("offsets", "items", "times"):
            np.save(scratch / f"{part}.npy", getattr(behaviour, part))
        behaviour.catalogue.to_parquet(scratch / "catalogue.parquet")
        marks = {
            "format": FORMAT,
            "name": behaviour.name,
            "digest": behaviour.digest,
            "users": behaviour.n_users,
            "items": behaviour.n_items,
            "interactions": len(behaviour.items),
            "about": dict(behaviour.about),
        }
        (scratch / "about.json").write_text(json.dumps(marks, indent=2, sort_keys=True) + "\n")
        if folder.exists():
            if any(folder.iterdir()) and not (folder / "offsets.npy").exists():
                raise DataError(f"{folder}: exists and is not a data set, so it is not replaced; name another folder")
            shutil.rmtree(folder)
        scratch.rename(folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def load(folder: Path) -> Behaviour:
    """Open a saved data set, arrays memory-mapped and read-only. Raises `DataError`."""
    try:
        marks = json.loads((folder / "about.json").read_text())
        if marks["format"] != FORMAT:
            raise DataError(f"{folder}: has format {marks['format']}, expected {FORMAT}; import it again")
        arrays = {
            part: np.load(folder / f"{part}.npy", mmap_mode="r", allow_pickle=False)
            for part in ("offsets", "items", "times")
        }
        catalogue = pd.read_parquet(folder / "catalogue.parquet")
        return Behaviour(marks["name"], catalogue=catalogue, about=marks["about"], digest=marks["digest"], **arrays)
    except FileNotFoundError as error:
        raise DataError(f"{folder}: not a data set ({Path(error.filename).name} is missing)") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: damaged; remove the folder, then fetch or import it again") from error
