"""Where fetched data, trained weights and outcomes are kept, and how a file appears there: whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from scenarios.errors import UserError, WriteError


def home() -> Path:
    """The cache folder: `RECFLEET_CACHE` if set, else the user's cache folder of this system."""
    named = os.environ.get("RECFLEET_CACHE")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("recfleet"))


OUTCOMES_GB = 20.0
"""What stored outcomes may take of the disk where `RECFLEET_OUTCOMES_GB` does not say: some hundred sweeps of
MovieLens-1M. Assumed."""


def outcomes_limit() -> int:
    """Bytes that stored outcomes may take. Raises `UserError` where `RECFLEET_OUTCOMES_GB` is no number above 0."""
    text = os.environ.get("RECFLEET_OUTCOMES_GB", str(OUTCOMES_GB))
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not limit > 0:
        raise UserError(f"RECFLEET_OUTCOMES_GB: {text!r}, expected a number of gigabytes above 0, such as 20")
    return int(min(limit, 2**33) * 2**30)


def trim(folder: Path, limit: int, spare: Path) -> list[Path]:
    """Remove subfolders, those longest unused first, until all take at most `limit` bytes; `spare` stays. Gives those.

    A subfolder is used when the file `index.npz` in it is touched. One that somebody holds the lock of stays; who has
    mapped a file of one that goes keeps what is mapped.
    """
    sizes: dict[Path, int] = {}
    used: dict[Path, float] = {}
    for each in folder.iterdir() if folder.is_dir() else ():
        try:
            sizes[each] = sum(file.stat().st_size for file in each.iterdir() if file.is_file())
            used[each] = (each / "index.npz").stat().st_mtime
        except OSError:
            used[each] = 0.0  # half made, or just removed by somebody else
    total, gone = sum(sizes.values()), []
    for each in sorted(sizes, key=lambda one: used[one]):
        if total <= limit:
            break
        if each == spare:
            continue
        try:
            with FileLock(each / ".lock", timeout=0):
                # The index first: without it, what is left is nothing to anybody.
                for file in sorted(each.iterdir(), key=lambda one: one.name != "index.npz"):
                    if file.name != ".lock":
                        file.unlink(missing_ok=True)
        except (Timeout, OSError):
            continue
        total -= sizes[each]
        gone.append(each)
    return gone


def content_key(*parts: object) -> str:
    """A short name for content: the SHA-256 of the parts' JSON, 20 hexadecimal digits."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@contextmanager
def atomic(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; on success it becomes `target` in one rename, else it is removed.

    Raises `WriteError` where the folder cannot be written or the disk is full.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
        mask = os.umask(0)  # the only way to read it
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)  # as an ordinary new file would have
    except OSError as error:
        raise WriteError(f"{target}: cannot be written ({error.strerror or error})") from error
    scratch = Path(name)
    try:
        yield scratch
        scratch.replace(target)
    except OSError as error:
        raise WriteError(f"{target}: cannot be written ({error.strerror or error})") from error
    finally:
        scratch.unlink(missing_ok=True)
