"""What is put away while a run lasts comes back as it was, in the order of sending."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scenarios.errors import UserError
from simulator import records
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
    log = filled(numbers).log()
    assert set(log) == set(COLUMNS)
    assert log["number"].tolist() == list(range(50))
    assert log["device"].tolist() == [number % 7 for number in range(50)]
    assert log["uplink"].tolist() == [(1 << 33) + number for number in range(50)]
    assert (log["sent"] == 1 << 40).all()


def test_a_gap_in_the_numbers_is_left_to_the_books_to_find() -> None:
    assert filled([5, 2]).log()["number"].tolist() == [2, 5]


def test_a_full_disk_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records, "CHUNK", 1)
    monkeypatch.setattr(records.tempfile, "TemporaryFile", full)
    with pytest.raises(UserError, match="No space left"):
        filled([0])
