"""Where behaviour data comes from: published sets, a user's own, generated ones. A new published set is a line here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from scenarios import cache
from scenarios.behaviour import Behaviour, load, save
from scenarios.datasets import synthetic
from scenarios.datasets.fetch import Unreachable
from scenarios.datasets.movielens_1m import MOVIELENS_1M
from scenarios.datasets.movielens_100k import MOVIELENS_100K
from scenarios.datasets.published import Announce, PublishedSet
from scenarios.errors import DataError
from scenarios.schema.data import Imported, Published, Source, Synthetic
from scenarios.split import sample_users

__all__ = ["PUBLISHED", "Announce", "PublishedSet", "Unreachable", "folder", "get", "obtain"]

PUBLISHED = {each.name: each for each in (MOVIELENS_100K, MOVIELENS_1M)}


def folder(name: str) -> Path:
    """Where the fetched copy of a published set lies, or would."""
    return cache.home() / "data" / f"{name}-r{PUBLISHED[name].recipe}"


def get(name: str, announce: Announce, progress: bool = True) -> Behaviour:
    """Open a published set, fetching it first where there is no sound copy yet; terms and citation are said then.

    Raises `Unreachable` where it can be had nowhere, `DataError` where it cannot be kept.
    """
    return _kept(folder(name), lambda: PUBLISHED[name].get(announce, progress))


def obtain(source: Source, base: Path, seed: int, announce: Announce, progress: bool = True) -> Behaviour:
    """The data that a scenario names: fetched, opened or generated, and the users that it keeps of it.

    base: the folder that an imported set's path is relative to. seed: draws the users, and generates.
    Raises as `get` does; a caller may go on with a `Synthetic` source where the set is `Unreachable`.
    """
    match source:
        case Published():
            behaviour = get(source.kind, announce, progress)
        case Imported():
            behaviour = load(base / source.path.expanduser())
        case Synthetic():
            key = cache.content_key(synthetic.RECIPE, source.model_dump(), seed)
            return _kept(cache.home() / "data" / f"synthetic-{key}", lambda: synthetic.generate(source, seed))
    return behaviour if source.users is None else sample_users(behaviour, source.users, seed)


def _kept(home: Path, make: Callable[[], Behaviour]) -> Behaviour:
    """Open the copy in the cache, or make it and keep it; two runs that need it at once make it once."""
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(home.parent / f".{home.name}.lock").acquire()
    except OSError as error:
        raise DataError(
            f"{home.parent}: cannot be written ({error.strerror or error}); set RECFLEET_CACHE to a folder that can"
        ) from error
    with held:
        try:
            return load(home)
        except DataError:  # not there yet, or damaged
            save(make(), home)
            return load(home)
