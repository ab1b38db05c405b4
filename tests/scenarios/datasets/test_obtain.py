"""A scenario's source becomes behaviour data: made once, kept whole, cut down to the users that were asked for."""

import threading
from pathlib import Path

import pytest

from scenarios.behaviour import Behaviour, save
from scenarios.datasets import obtain, synthetic
from scenarios.errors import DataError
from scenarios.schema.data import Imported, Synthetic

SPEC = Synthetic(users=30, items=100, interactions_per_user=10)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds for which a population was generated, in an empty cache."""
    seeds: list[int] = []
    generate = synthetic.generate

    def counted(spec: Synthetic, seed: int) -> Behaviour:
        seeds.append(seed)
        return generate(spec, seed)

    monkeypatch.setenv("RECFLEET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(synthetic, "generate", counted)
    return seeds


def test_made_once_for_each_content(tmp_path: Path, made: list[int]) -> None:
    first = obtain(SPEC, tmp_path, 1, print)
    assert obtain(SPEC, tmp_path, 1, print).digest == first.digest
    assert obtain(SPEC, tmp_path, 2, print).digest != first.digest
    obtain(SPEC.model_copy(update={"drift": 0.5}), tmp_path, 1, print)
    assert made == [1, 2, 1]
    assert not first.items.flags.writeable


def test_two_runs_at_once_make_it_once(tmp_path: Path, made: list[int]) -> None:
    digests: list[str] = []
    threads = [
        threading.Thread(target=lambda: digests.append(obtain(SPEC, tmp_path, 1, print).digest)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert len(digests) == 4
    assert len(set(digests)) == 1


def test_a_damaged_copy_is_made_again(tmp_path: Path, made: list[int]) -> None:
    obtain(SPEC, tmp_path, 1, print)
    (folder,) = (path for path in (tmp_path / "cache" / "data").iterdir() if path.is_dir())
    (folder / "items.npy").write_bytes(b"\x93NUMPY")
    obtain(SPEC, tmp_path, 1, print)
    assert made == [1, 1]


def test_imported_path_is_relative_to_the_base_and_users_are_drawn(tmp_path: Path) -> None:
    whole = synthetic.generate(SPEC, 3)
    save(whole, tmp_path / "sets" / "mine")
    source = Imported(path=Path("mine"), users=4)
    drawn = obtain(source, tmp_path / "sets", 5, print)
    assert drawn.n_users == 4
    assert drawn.digest == obtain(source, tmp_path / "sets", 5, print).digest
    assert drawn.digest != obtain(source, tmp_path / "sets", 6, print).digest
    with pytest.raises(DataError, match="has 30 users, 31 were asked for"):
        obtain(Imported(path=Path("mine"), users=31), tmp_path / "sets", 5, print)
    with pytest.raises(DataError, match="not a data set"):
        obtain(source, tmp_path, 5, print)


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RECFLEET_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot be written .*; set RECFLEET_CACHE to a folder that can"):
        obtain(SPEC, tmp_path, 1, print)
