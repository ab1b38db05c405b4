"""Every stay of a request in the cloud, read from the request log and the cloud's accounts alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.clock import NEVER
from simulator.cloud.accounts import Accounts
from simulator.outcomes import IntArray
from simulator.records import Columns, Log

FAR = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Stays:
    """A stay waits from `entered` to `exit`, and is in work from there to `ended` where `worked`; `FAR` where that did
    not come. row: number of the request. replica: where it was worked on, or in whose queue it waited."""

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


class InWork:
    """Puts those who are worked on in the order in which work on them begins, as far as it is known."""

    def __init__(self) -> None:
        self._later: Stays | None = None

    def until(self, part: Stays, moment: int) -> Stays:
        """Those on whom work begins before this moment, of this part and those before, that were not told of yet."""
        known = part.in_work()
        if self._later is not None:
            later = vars(self._later)
            known = Stays(**{name: np.append(later[name], column) for name, column in vars(known).items()})
        now = known.exit < moment
        self._later = known.pick(np.flatnonzero(~now))
        return known if now.all() else known.pick(np.flatnonzero(now))


def stays(log: Log, accounts: Accounts) -> Iterator[tuple[Columns, Stays, int]]:
    """The parts of the log, the stays of each, and when the next begins: nothing happens to its requests before."""
    first, before = 0, None
    for part in log.parts():
        if before is not None:
            yield before, _stays(first, before, accounts.detours), int(part["sent"][0])
            first += len(before.rows)
        before = part
    if before is not None:
        yield before, _stays(first, before, accounts.detours), FAR


def _stays(first: int, log: Columns, all_detours: Mapping[str, IntArray]) -> Stays:
    """Those of the requests from number `first` on. The last stays are in the log itself, those before in the detours,
    in their order."""
    here = (all_detours["number"] >= first) & (all_detours["number"] < first + len(log.rows))
    if not here.any():
        return _last(first, log, log["arrived"])
    detours = {name: column[here] for name, column in all_detours.items()}
    number = detours["number"] - first
    entered, begins = log["arrived"].copy(), log["arrived"][number]
    order = np.lexsort((detours["ended"], number))
    again = np.flatnonzero(np.diff(number[order]) == 0)
    begins[order[again + 1]] = detours["ended"][order[again]]
    entered[number[order]] = detours["ended"][order]  # the last of each request stays
    last, worked = _last(first, log, entered), detours["started"] != NEVER
    return Stays(
        row=np.concatenate([last.row, detours["number"]]),
        replica=np.concatenate([last.replica, detours["replica"]]),
        entered=np.concatenate([last.entered, begins]),
        exit=np.concatenate([last.exit, np.where(worked, detours["started"], detours["ended"])]),
        ended=np.concatenate([last.ended, detours["ended"]]),
        size=np.concatenate([last.size, detours["batch_size"]]),
        worked=np.concatenate([last.worked, worked]),
    )


def _last(first: int, log: Columns, entered: IntArray) -> Stays:
    """The last stay of each request that came to the cloud; where all did, columns are the log's own."""
    row = np.flatnonzero(log["arrived"] != NEVER)
    here = slice(None) if len(row) == len(entered) else row
    started, finished = log["started"][here], log["finished"][here]
    worked = started != NEVER
    if not worked.all():
        left = np.where(log["left"][here] == NEVER, FAR, log["left"][here])
        started, finished = np.where(worked, started, left), np.where(worked, finished, left)
    return Stays(row + first, log["replica"][here], entered[here], started, finished, log["batch_size"][here], worked)
