"""The request log: a row a request, kept as integers while the run lasts and told as a table at its end."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np
import pandas as pd

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
CHUNK = 1 << 16


class Records:
    """Rows in the order in which requests came to rest."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._chunks: list[IntArray] = []

    def add(self, r: Request) -> None:
        """Write a request that nothing can change any more."""
        rows = self._rows
        rows.extend(
            (
                r.number,
                r.device,
                r.step,
                r.cut,
                r.attempt,
                r.intended,
                r.sent,
                r.arrived,
                r.started,
                r.finished,
                r.left,
                r.reached,
                r.answered,
                r.settled,
                r.applied,
                r.status,
                r.batch_size,
                r.replica,
                r.uplink,
                r.downlink,
            )
        )
        if len(rows) >= CHUNK * len(COLUMNS):
            self._chunks.append(np.array(rows, np.int64).reshape(-1, len(COLUMNS)))
            self._rows = array("q")

    def log(self) -> dict[str, IntArray]:
        """Column -> [requests], in the order of sending."""
        last = np.array(self._rows, np.int64).reshape(-1, len(COLUMNS))
        rows = np.concatenate([*self._chunks, last])
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        return {name: np.ascontiguousarray(rows[:, i]) for i, name in enumerate(COLUMNS)}


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
