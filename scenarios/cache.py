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

from scenarios.errors import WriteError


def home() -> Path:
    """The cache folder: `RECFLEET_CACHE` if set, else the user's cache folder of this system."""
    named = os.environ.get("RECFLEET_CACHE")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("recfleet"))


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
