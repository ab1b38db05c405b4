"""The request log: a row a request, kept as integers while the run lasts and told as a table at its end.

Rows lie in a temporary file until then, so that a run needs memory for the requests that are open, not for all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from operator import attrgetter
from struct import Struct
from typing import Any, BinaryIO
from weakref import finalize

import numpy as np
import numpy.typing as npt
import pandas as pd

from scenarios.errors import UserError
from simulator.clock import NEVER, SECOND
from simulator.cloud.replicas import STATES
from simulator.outcomes import FloatArray, IntArray
from simulator.request import STATUSES, Request

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
SHORT = {"device", "step", "cut", "attempt", "applied", "batch_size", "replica"}
"""Columns whose numbers are never long: there are fewer devices than `simulator.clock` has places for."""
CHUNK = 1 << 16
"""Rows that are put away at once."""


def _kind(column: str) -> npt.DTypeLike:
    if column == "status":
        return np.int8
    return np.int32 if column in SHORT else np.int64


ROW = np.dtype([(name, _kind(name)) for name in COLUMNS])
"""A row as it lies in the file."""
_pack = Struct("=" + "".join({1: "b", 4: "i", 8: "q"}[ROW[name].itemsize] for name in COLUMNS)).pack
_values = attrgetter(*COLUMNS)


class Records:
    """Rows in the order in which requests came to rest."""

    def __init__(self) -> None:
        self._rows = bytearray()
        self._file: BinaryIO | None = None
        self._filed = 0
        """Chunks in the file."""

    def add(self, request: Request) -> None:
        """Write a request that nothing can change any more."""
        self._rows += _pack(*_values(request))
        if len(self._rows) >= CHUNK * ROW.itemsize:
            self._put_away()

    def _put_away(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115
                finalize(self, self._file.close)  # it goes with the records
            self._file.write(self._rows)
        except OSError as error:
            raise UserError(f"{tempfile.gettempdir()}: cannot be written ({error.strerror or error})") from error
        self._filed += 1
        self._rows = bytearray()

    def _chunks(self) -> Iterator[npt.NDArray[np.void]]:
        """[rows] in the order in which they came."""
        if self._file is not None:
            self._file.seek(0)
            for _ in range(self._filed):
                yield np.frombuffer(self._file.read(CHUNK * ROW.itemsize), ROW)
        yield np.frombuffer(self._rows, ROW)

    def log(self) -> dict[str, IntArray]:
        """Column -> [requests], in the order of sending."""
        numbers = np.concatenate([chunk["number"] for chunk in self._chunks()])
        place = np.empty_like(numbers)
        place[np.argsort(numbers, kind="stable")] = np.arange(len(numbers))
        log: dict[str, npt.NDArray[Any]] = {name: np.empty(len(numbers), ROW[name]) for name in COLUMNS}
        first = 0
        for chunk in self._chunks():
            here = place[first : first + len(chunk)]
            for name in COLUMNS:
                log[name][here] = chunk[name]
            first += len(chunk)
        return log


def request_table(log: dict[str, IntArray], device_users: IntArray, shares: FloatArray) -> pd.DataFrame:
    """The log with the columns, units and statuses that docs/design.md names. shares: [requests] ticks of work."""
    return pd.DataFrame(
        {
            "device": log["device"],
            "user": device_users[log["device"]],
            "step": log["step"],
            "cut": log["cut"],
            "attempt": log["attempt"],
            "intended_s": _seconds(log["intended"]),
            "sent_s": _seconds(log["sent"]),
            "arrived_s": _seconds(log["arrived"]),
            "started_s": _seconds(log["started"]),
            "finished_s": _seconds(log["finished"]),
            "left_s": _seconds(log["left"]),
            "answered_s": _seconds(log["answered"]),
            "settled_s": _seconds(log["settled"]),
            "applied_step": log["applied"],
            "status": pd.Categorical.from_codes(log["status"], pd.Index(STATUSES)),
            "batch_size": log["batch_size"],
            "replica": log["replica"],
            "gpu_s": shares / SECOND,
            "uplink_bytes": log["uplink"],
            "downlink_bytes": log["downlink"],
        }
    )


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
