"""Rows in a temporary file, each under a bucket: a bucket comes back at once, in the order in which its rows came."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from typing import BinaryIO
from weakref import finalize

import numpy as np
import numpy.typing as npt

from scenarios.errors import UserError
from simulator.outcomes import IntArray

Rows = npt.NDArray[np.void]


class Shelf:
    """Needs memory for the rows that are put or taken at once, not for all. Both raise `UserError` where they fail."""

    def __init__(self, kind: np.dtype[np.void]) -> None:
        self._kind = kind
        self._file: BinaryIO | None = None
        self._rows = 0
        self._places: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        """Of each bucket, where its rows lie: first and number."""

    @property
    def buckets(self) -> list[int]:
        """Those that have rows, rising."""
        return sorted(self._places)

    def put(self, rows: Rows, buckets: IntArray) -> None:
        """Put rows away. buckets: [rows] of each, rising."""
        first = np.flatnonzero(np.diff(buckets, prepend=-1))
        there, count = buckets[first], np.diff(first, append=len(rows))
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
                finalize(self, self._file.close)  # it goes with the shelf
            left = memoryview(rows.view(np.uint8))  # type: ignore[arg-type]
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise _unusable(error) from error
        for bucket, begin, number in zip(there.tolist(), first.tolist(), count.tolist(), strict=True):
            self._places[bucket].append((self._rows + begin, number))
        self._rows += len(rows)

    def take(self, bucket: int) -> Rows:
        """All rows of a bucket, which stay where they are."""
        places = self._places.get(bucket, [])
        rows = np.empty(sum(number for _, number in places), self._kind)
        left = memoryview(rows.view(np.uint8))  # type: ignore[arg-type]
        try:
            for first, number in places:
                assert self._file is not None
                self._file.seek(first * self._kind.itemsize)
                end = len(left) - number * self._kind.itemsize
                while len(left) > end:
                    read = self._file.readinto(left[: len(left) - end])  # type: ignore[attr-defined]
                    if not read:
                        raise OSError(0, "it was cut short")
                    left = left[read:]
        except OSError as error:
            raise _unusable(error) from error
        return rows


def put_in_order(rows: Rows, order: IntArray) -> Rows:
    """rows[order], each copied as a whole: numpy would go through its fields."""
    return np.take(rows.view(f"V{rows.itemsize}"), order).view(rows.dtype)


def _unusable(error: OSError) -> UserError:
    return UserError(f"{tempfile.gettempdir()}: cannot be written ({error.strerror or error})")
