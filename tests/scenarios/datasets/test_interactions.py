"""What users bring: the same interactions from every kind of file, and a clear refusal of what cannot be used."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.behaviour import Behaviour, load, save
from scenarios.datasets.interactions import Columns, read
from scenarios.datasets.kcore import k_core
from scenarios.errors import DataError

FRAME = pd.DataFrame(
    {
        "user_id": ["u1", "u2", "u1", "u2", "u1"],
        "item_id": ["a", "b", "c", "a", "b"],
        "timestamp": [30, 10, 20, 10, 20],
    }
)


def streams(behaviour: Behaviour) -> list[list[str]]:
    labels = behaviour.catalogue["label"].to_numpy()
    return [labels[behaviour.stream(user)].tolist() for user in range(behaviour.n_users)]


def write(path: Path, frame: pd.DataFrame) -> Path:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".inter":
        typed = {"user_id": "user_id:token", "item_id": "item_id:token", "timestamp": "timestamp:float"}
        frame.rename(columns=typed).to_csv(path, sep="\t", index=False)
    else:
        frame.to_csv(path, sep="\t" if path.suffix == ".tsv" else ",", index=False)
    return path


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.inter", "x.parquet", "x.csv.gz"])
def test_every_kind_of_file_gives_the_same_interactions(tmp_path: Path, name: str) -> None:
    behaviour = read(write(tmp_path / name, FRAME))
    assert streams(behaviour) == [["c", "b", "a"], ["b", "a"]]  # by time, ties in the file's order
    assert behaviour.times.tolist() == [20, 20, 30, 10, 10]
    assert behaviour.digest == read(write(tmp_path / "x.csv", FRAME)).digest


def test_round_trip_through_the_folder(tmp_path: Path) -> None:
    behaviour = read(write(tmp_path / "x.csv", FRAME))
    save(behaviour, tmp_path / "out")
    again = load(tmp_path / "out")
    assert again.digest == behaviour.digest
    assert streams(again) == streams(behaviour)
    assert not again.items.flags.writeable


def test_save_replaces_a_data_set_but_nothing_else(tmp_path: Path) -> None:
    behaviour = read(write(tmp_path / "x.csv", FRAME))
    save(behaviour, tmp_path / "out")
    save(behaviour, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(DataError, match="exists and is not a data set"):
        save(behaviour, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "out", "x.csv"]


def test_columns_are_mapped_and_separators_seen(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("﻿movie;who;when\n7; ann ;2024-01-01T00:00:10Z\n8;ann;2024-01-01 00:00:05\n", encoding="utf-8")
    behaviour = read(path, Columns("who", "movie", "when"))
    assert streams(behaviour) == [["8", "7"]]
    assert behaviour.times.tolist() == [1704067205.0, 1704067210.0]


def test_whole_numbers_stay_whole_in_parquet(tmp_path: Path) -> None:
    frame = FRAME.assign(item_id=[1.0, 2.0, 3.0, 1.0, 2.0], timestamp=pd.to_datetime(FRAME["timestamp"], unit="s"))
    behaviour = read(write(tmp_path / "x.parquet", frame))
    assert streams(behaviour) == [["3", "2", "1"], ["2", "1"]]
    assert behaviour.times.tolist() == [20, 20, 30, 10, 10]


def test_milliseconds_are_asked_for_not_guessed(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", FRAME.assign(timestamp=FRAME["timestamp"] + 1_700_000_000_000))
    with pytest.raises(DataError, match="look like milliseconds, give --time-unit ms"):
        read(path)
    assert read(path, Columns(time_unit="ms")).times[0] == 1_700_000_000.02


def test_bad_rows_are_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    good = "u,i,5\n" * 3
    path.write_text("user_id,item_id,timestamp\n" + good + "u,i,soon\n\nu,,7\nu,i\nu,i,1,2\n,i,nan\nu,i,\nu,i,inf\n")
    with pytest.raises(DataError) as refusal:
        read(path)
    assert str(refusal.value).splitlines() == [
        f"{path}: 7 of 10 rows are bad, nothing was written",
        "  line 5: timestamp is 'soon', expected a number or an ISO 8601 date",
        "  line 7: item_id is empty",
        "  line 8: has 2 fields, expected 3",
        "  line 9: has 4 fields, expected 3",
        "  line 10: user_id is empty, timestamp is 'nan', expected a number or an ISO 8601 date",
        "  and 2 more",
    ]


def test_bad_rows_of_parquet_are_named_by_row(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", FRAME.assign(item_id=["a", None, "c", "a", "b"]))
    with pytest.raises(DataError, match=r"1 of 5 rows are bad, nothing was written\n  row 2: item_id is empty"):
        read(path)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("x.csv", "", "is empty, expected a first line that names the columns"),
        ("x.csv", "user_id,item_id,timestamp\n", "holds no interactions"),
        ("x.csv", "user,item_id,timestamp\na,b,1\n", "has no column 'user_id'.*did you mean 'user'"),
        ("x.csv", "user_id,item_id,timestamp,item_id\na,b,1,c\n", "two columns have the same name"),
        ("x.json", "{}", "unknown kind of file, expected one that ends in .csv"),
        ("x.parquet", "not parquet", "is not a Parquet file"),
    ],
)
def test_unusable_files(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=complaint):
        read(path)


def test_missing_file_and_wrong_encoding(tmp_path: Path) -> None:
    for name in ("none.csv", "none.parquet"):
        with pytest.raises(DataError, match="no such file"):
            read(tmp_path / name)
    (tmp_path / "latin.csv").write_bytes("user_id,item_id,timestamp,título\n".encode("latin-1"))
    with pytest.raises(DataError, match="is not UTF-8 text"):
        read(tmp_path / "latin.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "folder.csv")
    with gzip.open(tmp_path / "rows.csv.gz", "wt") as file:
        file.write("user_id,item_id,timestamp\nu,i,x\n")
    with pytest.raises(DataError, match="line 2: timestamp is 'x'"):
        read(tmp_path / "rows.csv.gz")


def test_item_table(tmp_path: Path) -> None:
    table = tmp_path / "x.item"
    table.write_text(
        'item_id:token\tmovie_title:token_seq\tclass:token_seq\na\tToy "Story\tComedy War\nz\tUnseen\tWar\n'
    )
    said: list[str] = []
    behaviour = read(write(tmp_path / "x.inter", FRAME), items=table, announce=said.append)
    catalogue = behaviour.catalogue.set_index("label")
    assert catalogue.loc["a"].tolist() == ['Toy "Story', "Comedy|War"]
    assert catalogue.loc["b"].tolist() == ["", ""]
    assert any("lacks 2 items that users took" in line for line in said)
    assert any("1 of its 2 items were taken by nobody" in line for line in said)


def test_item_table_that_contradicts_itself(tmp_path: Path) -> None:
    table = tmp_path / "items.csv"
    table.write_text("item_id,title\na,One\nb,Two\na,Three\n")
    with pytest.raises(DataError, match="line 4: item_id 'a' stands in an earlier row too"):
        read(write(tmp_path / "x.csv", FRAME), items=table)
    table.write_text("item_id,colour\na,red\n")
    with pytest.raises(DataError, match="has neither titles nor categories"):
        read(write(tmp_path / "x.csv", FRAME), items=table)


def test_what_is_odd_but_usable_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    extra = pd.DataFrame({"user_id": ["u3", "u1"], "item_id": ["a", "a"], "timestamp": [1, 99]})
    read(write(tmp_path / "x.csv", pd.concat([FRAME, extra])), announce=said.append)
    assert any("1 of 3 users have one interaction only" in line for line in said)
    assert any("1 of 7 interactions repeat an item of the same user" in line for line in said)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=80), st.integers(1, 5))
def test_k_core_is_the_largest_subgraph_with_its_property(pairs: list[tuple[int, int]], k: int) -> None:
    users, items = np.array(pairs).T
    kept = k_core(users, items, k)
    for side in (users, items):
        assert (np.unique(side[kept], return_counts=True)[1] >= k).all()
    # Reference: peel one node at a time, in another order.
    alive = list(range(len(pairs)))
    while True:
        poor = [
            (side, node) for side in (1, 0) for node in range(10) if 0 < sum(pairs[e][side] == node for e in alive) < k
        ]
        if not poor:
            break
        side, node = poor[-1]
        alive = [e for e in alive if pairs[e][side] != node]
    assert np.flatnonzero(kept).tolist() == alive


def test_k_core_with_nothing_left(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing is left of its 5 interactions in the 4-core"):
        read(write(tmp_path / "x.csv", FRAME), k=4)


def test_ids_are_shuffled_but_fixed(tmp_path: Path) -> None:
    n = 400
    frame = pd.DataFrame({"user_id": 1, "item_id": np.arange(1000, 1000 + n), "timestamp": np.arange(n)})
    one = read(write(tmp_path / "x.csv", frame)).items
    assert np.array_equal(one, read(write(tmp_path / "x.csv", frame)).items)
    assert abs(np.corrcoef(one, np.arange(n))[0, 1]) < 0.2  # four standard errors
