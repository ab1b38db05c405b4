"""Where learned signals are kept: learned once for the models of a scenario, whatever the precision of the outcomes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

from models.learned import Arrays
from scenarios.cache import atomic
from scenarios.errors import WriteError


def learned_once(
    folder: Path,
    names: Sequence[str],
    learn: Callable[[Sequence[str]], dict[str, Arrays]],
    announce: Callable[[str], None],
) -> dict[str, Arrays]:
    """Parameters of these signals; those that are not in the folder yet are learned together, from the same pairs.

    Raises `WriteError`.
    """
    found: dict[str, Arrays] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock").acquire()
    except OSError as error:
        raise WriteError(f"{folder}: cannot be written ({error.strerror or error})") from error
    with lock:
        for each in names:
            try:
                with np.load(io.BytesIO((folder / f"{each}.npz").read_bytes()), allow_pickle=False) as file:
                    found[each] = dict(file)
            except FileNotFoundError:
                pass
            except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
                announce(f"{folder / each}.npz: damaged ({error}); learned anew")
        missing = [each for each in names if each not in found]
        if missing:
            announce(f"learning from the validation part: {', '.join(missing)}")
            found.update(learn(missing))
        for each in missing:
            with atomic(folder / f"{each}.npz") as scratch, scratch.open("wb") as stream:
                np.savez(stream, allow_pickle=False, **found[each])
    return found
