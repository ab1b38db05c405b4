"""What is put away while a run lasts comes back as it was, in the order of sending or by device."""

from __future__ import annotations

import numpy as np
import pytest
from books import columns_of

from scenarios.errors import UserError
from simulator import records, shelf
from simulator.records import COLUMNS, Records
from simulator.request import Request


def filled(numbers: list[int]) -> Records:
    log = Records()
    for number in numbers:
        request = Request(number, None, number % 7, number % 11, number * 3, 1 << 40)  # type: ignore[arg-type]
        request.uplink = (1 << 33) + number
        log.add(request)
    return log


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_the_log_is_the_same_whatever_is_put_away(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.random.default_rng(0).permutation(50).tolist()
    monkeypatch.setattr(records, "CHUNK", chunk)
    log = columns_of(filled(numbers).log(7))
    assert set(log) == set(COLUMNS)
    assert log["number"].tolist() == list(range(50))
    assert log["device"].tolist() == [number % 7 for number in range(50)]
    assert log["uplink"].tolist() == [(1 << 33) + number for number in range(50)]
    assert (log["sent"] == 1 << 40).all()


@pytest.mark.parametrize("chunk", [1, 3, 10, 1000])
def test_by_device_it_is_the_same_log_with_each_devices_requests_together(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "CHUNK", chunk)
    log = filled(np.random.default_rng(0).permutation(50).tolist()).log(9)  # the last two ask for nothing
    first, until, parts = zip(*log.by_device(), strict=True)
    assert (first[0], until[-1], first[1:]) == (0, 9, until[:-1])
    assert [n for part in parts for n in part["number"]] == sorted(range(50), key=lambda number: (number % 7, number))
    for begin, end, part in zip(first, until, parts, strict=True):
        assert ((part["device"] >= begin) & (part["device"] < end)).all()


def test_a_gap_in_the_numbers_is_left_to_the_books_to_find() -> None:
    assert columns_of(filled([5, 2]).log(7))["number"].tolist() == [2, 5]


def test_a_full_disk_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(buffering: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records, "CHUNK", 1)
    monkeypatch.setattr(shelf.tempfile, "TemporaryFile", full)
    with pytest.raises(UserError, match="No space left"):
        filled([0])
