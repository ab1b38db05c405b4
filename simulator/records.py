"""The request log: a row a request, kept as whole numbers in a temporary file while the run lasts and after.

It is read a stretch at a time, by time or by device, so that neither a run nor its books need memory for all requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from struct import Struct

import numpy as np
import numpy.typing as npt
import pandas as pd

from simulator.clock import NEVER, SECOND
from simulator.cloud.replicas import STATES
from simulator.outcomes import FloatArray, IntArray
from simulator.request import STATUSES, Request
from simulator.shelf import Rows, Shelf, put_in_order

COLUMNS = (
    "number",
    "device",
    "step",
    "cut",
    "attempt",
    "intended",
    "sent",
    "arrived",
    "started",
    "finished",
    "left",
    "reached",
    "answered",
    "settled",
    "applied",
    "status",
    "batch_size",
    "replica",
    "uplink",
    "downlink",
)
TIMES = ("sent", "left", "finished", "answered")
SHORT = {"device", "step", "cut", "attempt", "applied", "batch_size", "replica"}
"""Columns whose numbers are never long: there are fewer devices than `simulator.clock` has places for."""
CHUNK = 1 << 16
"""Rows that are put away, or read, at once."""


def _kind(column: str) -> npt.DTypeLike:
    if column == "status":
        return np.int8
    return np.int32 if column in SHORT else np.int64


ROW = np.dtype([(name, _kind(name)) for name in COLUMNS])
"""A row as it lies in the file."""
_pack = Struct("=" + "".join({1: "b", 4: "i", 8: "q"}[ROW[name].itemsize] for name in COLUMNS)).pack
_values = attrgetter(*COLUMNS)


class Columns(Mapping[str, IntArray]):
    """Rows by column, put into the order of one of them; a column is made when it is asked for."""

    def __init__(self, rows: Rows, by: str) -> None:
        self.rows = rows
        self._by = by
        self._columns: dict[str, IntArray] = {}

    @cached_property
    def order(self) -> IntArray:
        """Places of the rows in that order."""
        return np.argsort(self.rows[self._by], kind="stable")

    def __getitem__(self, name: str) -> IntArray:
        if name not in self._columns:
            self._columns[name] = np.ascontiguousarray(self.rows[name])[self.order]
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COLUMNS)

    def __len__(self) -> int:
        return len(COLUMNS)


class Log:
    """The requests of a run.

    asked: [devices] attempts of each. last: the latest tick at which something of a request happened but for its end
    at a device that no longer hears of it; 0 where there is none.
    """

    def __init__(self, chunks: Callable[[], Iterator[Rows]], devices: int) -> None:
        """chunks: all rows, at least one chunk, which may be empty; none comes before a chunk it was sent after."""
        self._chunks = chunks
        self._only: Columns | None = None
        """The only part of a short log, which need not be read again."""
        self.asked = np.zeros(devices, np.int64)
        self.last = 0
        for number, part in enumerate(self.parts()):
            self._only = None if number else part
            np.add.at(self.asked, part["device"], 1)
            if len(part.rows):
                self.last = max(self.last, *(int(part[name].max()) for name in TIMES))
        self.requests = int(self.asked.sum())

    def parts(self) -> Iterator[Columns]:
        """The log in the order of sending."""
        return (Columns(rows, "number") for rows in self._chunks()) if self._only is None else iter([self._only])

    def by_device(self) -> Iterator[tuple[int, int, Columns]]:
        """(first, until, the requests of devices first .. until - 1 by device, and each device's in order): the log."""
        edges = self._edges
        for bucket, (first, until) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
            yield first, until, self._whole if len(edges) == 2 else Columns(self._shelf.take(bucket), "device")

    @cached_property
    def _whole(self) -> Columns:
        """The log by device, where all devices are one stretch."""
        return Columns(np.concatenate([put_in_order(part.rows, part.order) for part in self.parts()]), "device")

    @cached_property
    def _edges(self) -> IntArray:
        """Where stretches of devices begin, each with about `CHUNK` requests, and where the last one ends."""
        stretch = np.maximum(np.cumsum(self.asked) - 1, 0) // CHUNK
        return np.append(np.flatnonzero(np.diff(stretch, prepend=-1)), len(self.asked))

    @cached_property
    def _shelf(self) -> Shelf:
        """The log once more, by stretch of devices."""
        shelf = Shelf(ROW)
        for part in self.parts():
            by_device = np.argsort(part["device"], kind="stable")
            buckets = np.searchsorted(self._edges, part["device"][by_device], side="right") - 1
            shelf.put(put_in_order(part.rows, part.order[by_device]), buckets)
        return shelf


class Records:
    """Rows in the order in which requests came to rest."""

    def __init__(self) -> None:
        self._rows = bytearray()
        self._shelf = Shelf(ROW)

    def add(self, request: Request) -> None:
        """Write a request that nothing can change any more."""
        self._rows += _pack(*_values(request))
        if len(self._rows) >= CHUNK * ROW.itemsize:
            self._put_away()

    def _put_away(self) -> None:
        rows = np.frombuffer(self._rows, ROW)
        order = np.argsort(rows["number"], kind="stable")
        self._shelf.put(put_in_order(rows, order), rows["number"][order] // CHUNK)
        self._rows = bytearray()

    def log(self, devices: int) -> Log:
        """All of them, once the run is over."""
        if self._shelf.buckets and self._rows:
            self._put_away()
        return Log(self._chunks, devices)

    def _chunks(self) -> Iterator[Rows]:
        if self._shelf.buckets:
            yield from map(self._shelf.take, self._shelf.buckets)
        else:
            yield np.frombuffer(self._rows, ROW)


TABLE = {
    "device": "device",
    "user": "device",
    "step": "step",
    "cut": "cut",
    "attempt": "attempt",
    "intended_s": "intended",
    "sent_s": "sent",
    "arrived_s": "arrived",
    "started_s": "started",
    "finished_s": "finished",
    "left_s": "left",
    "answered_s": "answered",
    "settled_s": "settled",
    "applied_step": "applied",
    "status": "status",
    "batch_size": "batch_size",
    "replica": "replica",
    "gpu_s": "number",
    "uplink_bytes": "uplink",
    "downlink_bytes": "downlink",
}
"""Columns of the request table, and those of the log that they are made from."""


@dataclass(frozen=True)
class Requests:
    """The request table of docs/design.md, a stretch at a time in the order of sending, as often as it is asked for.

    users: [devices]. shares: what gives, for a part of the log, [requests] ticks of work. columns: those that are told.
    """

    log: Log
    users: IntArray
    shares: Callable[[Columns], FloatArray]
    columns: tuple[str, ...] = tuple(TABLE)

    def __iter__(self) -> Iterator[pd.DataFrame]:
        for part in self.log.parts():
            yield pd.DataFrame({name: self._column(name, part) for name in self.columns})

    def of(self, columns: tuple[str, ...]) -> Requests:
        """The table with some of its columns only."""
        return replace(self, columns=columns)

    def _column(self, name: str, part: Columns) -> npt.NDArray[np.generic] | pd.Categorical[str]:
        if name == "gpu_s":
            return self.shares(part) / SECOND
        column = part[TABLE[name]]
        if name == "user":
            return self.users[column]
        if name == "status":
            return pd.Categorical.from_codes(column, pd.Index(STATUSES))
        return _seconds(column) if name.endswith("_s") else column


def shift_table(shifts: Mapping[str, IntArray], slow: Mapping[str, IntArray]) -> pd.DataFrame:
    """What replicas were about, and when they were slow, as docs/design.md names it."""
    states = (*STATES, "slow")
    state = np.append(shifts["state"], np.full(len(slow["replica"]), len(STATES)))
    return pd.DataFrame(
        {
            "replica": np.append(shifts["replica"], slow["replica"]),
            "state": pd.Categorical.from_codes(state, pd.Index(states)),
            "since_s": np.append(shifts["since"], slow["since"]) / SECOND,
            "until_s": np.append(shifts["until"], slow["until"]) / SECOND,
        }
    )


def detour_table(detours: Mapping[str, IntArray]) -> pd.DataFrame:
    """The stays that came to nothing, as docs/design.md names them."""
    return pd.DataFrame(
        {
            "request": detours["number"],
            "replica": detours["replica"],
            "started_s": _seconds(detours["started"]),
            "ended_s": _seconds(detours["ended"]),
            "batch_size": detours["batch_size"],
        }
    )


def _seconds(ticks: IntArray) -> FloatArray:
    return np.where(ticks == NEVER, np.nan, ticks / SECOND)
