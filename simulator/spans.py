"""What replicas are about from when to when, and when each is there: read from the shifts in the cloud's accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulator.cloud.replicas import DRAINING, UP
from simulator.outcomes import IntArray


@dataclass(frozen=True)
class Spans:
    """What replicas are about from when to when; rising by (replica, since)."""

    replica: IntArray
    since: IntArray
    until: IntArray

    def of(self, replica: int) -> Spans:
        """Those of one replica."""
        here = self.replica == replica
        return Spans(self.replica[here], self.since[here], self.until[here])

    def latest(self, replica: IntArray, time: IntArray) -> IntArray:
        """For each (replica, time) the place of its last span that begins by then, -1 where there is none."""
        place = np.full(len(replica), -1)
        for each in np.unique(self.replica):
            mine, asked = np.flatnonzero(self.replica == each), replica == each
            at = np.searchsorted(self.since[mine], time[asked], side="right") - 1
            place[asked] = np.where(at >= 0, mine[np.maximum(at, 0)], -1)
        return place


def taking_work(shifts: Mapping[str, IntArray]) -> Spans:
    """When which replica takes work."""
    up = shifts["state"] == UP
    return Spans(shifts["replica"][up], shifts["since"][up], shifts["until"][up])


def gone_at(up: Spans, shifts: Mapping[str, IntArray]) -> IntArray:
    """[spans] when each replica is gone that takes work: when it has done what it had, where it drains."""
    drains = shifts["state"] == DRAINING
    replica, since, until = (shifts[name][drains].tolist() for name in ("replica", "since", "until"))
    drained = dict(zip(zip(replica, since, strict=True), until, strict=True))
    spans = zip(up.replica.tolist(), up.until.tolist(), strict=True)
    return np.array([drained.get(span, span[1]) for span in spans], np.int64)
