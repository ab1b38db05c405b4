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


def stays(log: Mapping[str, IntArray], accounts: Accounts) -> Stays:
    """The last stays are in the log itself, those before in the detours, in their order."""
    detours = accounts.detours
    row = np.flatnonzero(log["arrived"] != NEVER)
    last_entered = log["arrived"].copy()
    begins = log["arrived"][detours["number"]]
    order = np.lexsort((detours["ended"], detours["number"]))
    again = np.flatnonzero(np.diff(detours["number"][order]) == 0)
    begins[order[again + 1]] = detours["ended"][order[again]]
    last_entered[detours["number"][order]] = detours["ended"][order]  # the last of each request stays
    worked = log["started"][row] != NEVER
    left = np.where(log["left"][row] == NEVER, FAR, log["left"][row])
    detour_worked = detours["started"] != NEVER
    return Stays(
        row=np.concatenate([row, detours["number"]]),
        replica=np.concatenate([log["replica"][row], detours["replica"]]),
        entered=np.concatenate([last_entered[row], begins]),
        exit=np.concatenate(
            [np.where(worked, log["started"][row], left), np.where(detour_worked, detours["started"], detours["ended"])]
        ),
        ended=np.concatenate([np.where(worked, log["finished"][row], left), detours["ended"]]),
        size=np.concatenate([log["batch_size"][row], detours["batch_size"]]),
        worked=np.concatenate([worked, detour_worked]),
    )
