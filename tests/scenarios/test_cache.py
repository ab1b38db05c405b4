"""What is kept on disk stays within its limit, and what is in use stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.cache import outcomes_limit, trim
from scenarios.errors import UserError


def kept(folder: Path, sizes: list[int]) -> list[Path]:
    """Stores of these sizes, the first the longest unused."""
    made = []
    for number, size in enumerate(sizes):
        store = folder / f"store{number}"
        store.mkdir(parents=True)
        (store / "ranks.bin").write_bytes(bytes(size))
        (store / "index.npz").write_bytes(b"")
        os.utime(store / "index.npz", (number, number))
        made.append(store)
    return made


def left(stores: list[Path]) -> list[bool]:
    return [(store / "index.npz").exists() for store in stores]


@given(sizes=st.lists(st.integers(1, 100), min_size=1, max_size=8), limit=st.integers(0, 400), spare=st.integers(0, 7))
@settings(max_examples=40)
def test_the_longest_unused_go_until_the_rest_fits(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], limit: int, spare: int
) -> None:
    stores = kept(tmp_path_factory.mktemp("cache") / "outcomes", sizes)
    mine = stores[spare % len(stores)]
    gone = trim(mine.parent, limit, mine)
    others = [store for store in stores if store != mine]
    assert gone == others[: len(gone)]
    assert left(stores) == [store not in gone for store in stores]
    rest = sum(size for size, there in zip(sizes, left(stores), strict=True) if there)
    assert rest <= limit or len(gone) == len(others)
    if gone:
        assert rest + sizes[stores.index(gone[-1])] > limit


def test_what_somebody_is_at_work_on_stays(tmp_path: Path) -> None:
    old, middle, new = kept(tmp_path / "outcomes", [10, 10, 10])
    with FileLock(old / ".lock"):
        assert trim(tmp_path / "outcomes", 20, new) == [middle]
    assert left([old, middle, new]) == [True, False, True]


@pytest.mark.parametrize("wrong", ["much", "0", "-1", "nan"])
def test_a_limit_that_is_none_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECFLEET_OUTCOMES_GB", wrong)
    with pytest.raises(UserError, match="RECFLEET_OUTCOMES_GB"):
        outcomes_limit()
