"""Every stay of a request in the cloud, read from the request log and the cloud's accounts alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.clock import NEVER
from simulator.cloud.accounts import Accounts
from simulator.outcomes import IntArray

FAR = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Stays:
    """A stay waits from `entered` to `exit`, and is in work from there to `ended` where `worked`; `FAR` where that did
    not come. row: place in the request log. replica: where it was worked on, or in whose queue it waited."""

    row: IntArray
    replica: IntArray
    entered: IntArray
    exit: IntArray
    ended: IntArray
    size: IntArray
    worked: npt.NDArray[np.bool_]

    def pick(self, which: npt.NDArray[np.bool_] | IntArray) -> Stays:
        """Some of them, in the order given."""
        return Stays(**{name: column[which] for name, column in vars(self).items()})

    def in_work(self) -> Stays:
        """Those that came to work."""
        return self if self.worked.all() else self.pick(np.flatnonzero(self.worked))


def stays(log: Mapping[str, IntArray], accounts: Accounts) -> Stays:
    """The last stays are in the log itself, those before in the detours, in their order."""
    detours = accounts.detours
    if not len(detours["number"]):
        return _last(log, log["arrived"])
    entered, begins = log["arrived"].copy(), log["arrived"][detours["number"]]
    order = np.lexsort((detours["ended"], detours["number"]))
    again = np.flatnonzero(np.diff(detours["number"][order]) == 0)
    begins[order[again + 1]] = detours["ended"][order[again]]
    entered[detours["number"][order]] = detours["ended"][order]  # the last of each request stays
    last, worked = _last(log, entered), detours["started"] != NEVER
    return Stays(
        row=np.concatenate([last.row, detours["number"]]),
        replica=np.concatenate([last.replica, detours["replica"]]),
        entered=np.concatenate([last.entered, begins]),
        exit=np.concatenate([last.exit, np.where(worked, detours["started"], detours["ended"])]),
        ended=np.concatenate([last.ended, detours["ended"]]),
        size=np.concatenate([last.size, detours["batch_size"]]),
        worked=np.concatenate([last.worked, worked]),
    )


def _last(log: Mapping[str, IntArray], entered: IntArray) -> Stays:
    """The last stay of each request that came to the cloud; where all did, columns are the log's own."""
    row = np.flatnonzero(log["arrived"] != NEVER)
    here = slice(None) if len(row) == len(entered) else row
    started, finished = log["started"][here], log["finished"][here]
    worked = started != NEVER
    if not worked.all():
        left = np.where(log["left"][here] == NEVER, FAR, log["left"][here])
        started, finished = np.where(worked, started, left), np.where(worked, finished, left)
    return Stays(row, log["replica"][here], entered[here], started, finished, log["batch_size"][here], worked)
