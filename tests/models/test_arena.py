"""What was kept comes back whole or is made anew; a kill at any moment harms nothing; many processes may add to it."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import arena
from models.arena import Arena
from scenarios.errors import UserError

ROWS = 12
COLUMNS = {"ranks": np.uint16, "footrule": np.float32}


def blocks(rows: list[int], length: int, mark: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    lengths = np.array([length + row % 3 for row in rows])
    ranks = np.concatenate([row * 100 + mark + np.arange(n) for row, n in zip(rows, lengths, strict=True)])
    return np.array(rows), lengths, {"ranks": ranks.astype(np.uint16), "footrule": ranks / 8}


def opened(folder: Path) -> tuple[Arena, list[str]]:
    said: list[str] = []
    store = Arena(ROWS, COLUMNS)
    store.open(folder, said.append)
    return store, said


def content(store: Arena) -> dict[int, tuple[list[int], list[float]]]:
    return {
        row: tuple(store.read(name, store.offsets[row], store.lengths[row]).tolist() for name in COLUMNS)
        for row in range(ROWS)
        if store.lengths[row]
    }


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sets(st.integers(0, ROWS - 1), min_size=1), st.booleans()), min_size=1, max_size=6))
def test_the_latest_block_of_a_row_counts_in_memory_and_on_disk(
    tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[set[int], bool]]
) -> None:
    folder = tmp_path_factory.mktemp("arena")
    store, expected = Arena(ROWS, COLUMNS), {}
    for turn, (rows, saved) in enumerate(batches):
        added = blocks(sorted(rows), 4 * (turn + 1), turn)
        store.add(*added)
        ends = np.cumsum(added[1])
        for row, end, length in zip(added[0].tolist(), ends, added[1], strict=True):
            expected[row] = tuple(added[2][name][end - length : end].astype(COLUMNS[name]).tolist() for name in COLUMNS)
        if saved:
            store.save(folder)
    assert content(store) == expected
    store.save(folder)
    again, said = opened(folder)
    assert content(again) == expected
    assert not said


def kept(folder: Path) -> dict[int, tuple[list[int], list[float]]]:
    store = Arena(ROWS, COLUMNS)
    store.add(*blocks([1, 4, 7], 5, 0))
    store.save(folder)
    return content(store)


@pytest.mark.parametrize("name", ["ranks", "footrule", "index"])
@pytest.mark.parametrize("harm", ["cut", "empty", "flip", "gone"])
def test_damage_is_found_said_and_mended(tmp_path: Path, name: str, harm: str) -> None:
    before = kept(tmp_path)
    (file,) = tmp_path.glob(f"{name}*")
    whole = bytearray(file.read_bytes())
    middle = len(whole) // 2
    if harm == "flip":
        # Inside an archive a flipped byte may fall on a field that nobody reads: take the data of the index.
        middle = whole.index(b"NUMPY", 60) + 150 if name == "index" else middle
        whole[middle] ^= 0x10
    file.write_bytes({"cut": whole[:-3], "empty": b"", "flip": whole, "gone": b""}[harm])
    if harm == "gone":
        file.unlink()
    store, said = opened(tmp_path)
    if name == "index" and harm == "gone":
        assert not said
    else:
        assert len(said) == 1
        assert "damaged" in said[0]
        assert "\n" not in said[0]
    assert content(store) == {}
    kept(tmp_path)
    assert content(opened(tmp_path)[0]) == before


def test_what_an_interrupted_append_left_is_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept(tmp_path)
    store, _ = opened(tmp_path)
    store.add(*blocks([2, 9], 6, 1))

    def killed(self: object, folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(arena._Index, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            store.save(tmp_path)
    assert content(opened(tmp_path)[0]) == before
    store.save(tmp_path)
    again, said = opened(tmp_path)
    assert content(again) == content(store)
    assert not said


def test_an_index_of_other_rows_or_columns_is_not_taken(tmp_path: Path) -> None:
    kept(tmp_path)
    for other in (
        Arena(ROWS + 1, COLUMNS),
        Arena(ROWS, {"ranks": np.uint16}),
        Arena(ROWS, {**COLUMNS, "ranks": np.uint32}),
    ):
        said: list[str] = []
        other.open(tmp_path, said.append)
        assert len(said) == 1
        assert not other.lengths.any()
        kept(tmp_path)


ADD = """
import sys
from pathlib import Path
import numpy as np
from models.arena import Arena

mine = int(sys.argv[2])
store = Arena(12, {"ranks": np.uint16, "footrule": np.float32})
for turn in range(8):
    rows = np.unique([mine, (mine + turn) % 12])
    values = np.concatenate([row * 100 + np.arange(4 + turn) for row in rows])
    store.add(rows, np.full(len(rows), 4 + turn), {"ranks": values, "footrule": values / 8})
    store.save(Path(sys.argv[1]))
"""


def test_processes_add_side_by_side(tmp_path: Path) -> None:
    workers = [subprocess.Popen([sys.executable, "-c", ADD, tmp_path, str(mine)]) for mine in (0, 4, 8)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    store, said = opened(tmp_path)
    assert not said
    assert np.count_nonzero(store.lengths) == ROWS
    for row, (ranks, values) in content(store).items():
        assert ranks == list(range(row * 100, row * 100 + len(ranks)))
        assert values == [rank / 8 for rank in ranks]


def test_what_others_added_is_taken_over_and_what_is_not_saved_yet_stays(tmp_path: Path) -> None:
    mine, theirs = Arena(ROWS, COLUMNS), Arena(ROWS, COLUMNS)
    mine.refresh(tmp_path)
    theirs.add(*blocks([3], 20, 0))
    theirs.save(tmp_path)
    mine.refresh(tmp_path)
    assert content(mine) == content(theirs)
    mine.add(*blocks([5], 7, 1))
    theirs.add(*blocks([6], 7, 1))
    theirs.save(tmp_path)
    mine.refresh(tmp_path)
    assert set(content(mine)) == {3, 5}
    mine.save(tmp_path)
    assert set(content(mine)) == {3, 5, 6}


def test_another_process_gets_all_of_it_and_may_add_to_it(tmp_path: Path) -> None:
    store = Arena(ROWS, COLUMNS)
    store.add(*blocks([1, 4], 5, 0))
    store.save(tmp_path)
    store.add(*blocks([7], 9, 1))
    sent = pickle.loads(pickle.dumps(store))
    assert content(sent) == content(store)
    for array in (sent.offsets, sent.lengths):
        array.flags.writeable = False  # as an object store hands them out
    sent.add(*blocks([2], 3, 2))
    assert set(content(sent)) == {1, 2, 4, 7}


def test_a_shorter_block_does_not_replace_a_longer_one_on_disk(tmp_path: Path) -> None:
    long, short = Arena(ROWS, COLUMNS), Arena(ROWS, COLUMNS)
    long.add(*blocks([3], 20, 0))
    short.add(*blocks([3], 5, 0))
    long.save(tmp_path)
    short.save(tmp_path)
    assert content(opened(tmp_path)[0]) == content(long)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Arena(ROWS, COLUMNS)
    with pytest.raises(UserError, match="cannot be written"):
        store.open(tmp_path / "file" / "arena", print)


def test_what_was_taken_from_a_column_stays_while_it_grows() -> None:
    store = Arena(ROWS, COLUMNS)
    store.add(*blocks([0], 4, 0))
    taken = store.read("ranks", 0, 4)
    for row in range(1, ROWS):
        store.add(*blocks([row], 400, 0))
    assert taken.tolist() == [0, 1, 2, 3]
