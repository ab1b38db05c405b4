"""How often sessions begin at a time: the daily cycle and surges, as one change of time.

Starts and pauses are counted in activity rather than in seconds, and activity passes at the rate of the daily cycle
times the factors of the surges of that moment. So sessions begin as often as that rate says (a renewal process seen
through a change of time), while what happens inside a session keeps its pace.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenarios.schema.data import DrawnPace, Surge
from simulator.daily import DailyCycle
from simulator.outcomes import FloatArray, IntArray


class Activity:
    """Seconds to activity and back."""

    def __init__(self, daily_cycle: float, surges: Sequence[Surge]) -> None:
        self._cycle = DailyCycle(daily_cycle) if daily_cycle else None
        # Surges bend the cycle's own activity: within a piece between two of these edges their factors are fixed.
        edges = np.unique([0.0] + [edge for each in surges for edge in (each.from_s, each.until_s)])
        factors = np.ones(len(edges) - 1)
        for each in surges:
            factors[(edges[:-1] >= each.from_s) & (edges[1:] <= each.until_s)] *= each.factor
        self._plain = edges if self._cycle is None else self._cycle.activity(edges)
        self._bent = np.concatenate([[0.0], np.cumsum(factors * np.diff(self._plain))])

    def until(self, time_s: FloatArray) -> FloatArray:
        """What has passed of activity until then, from time 0."""
        plain = time_s if self._cycle is None else self._cycle.activity(time_s)
        return _along(plain, self._plain, self._bent)

    def time(self, activity: FloatArray) -> FloatArray:
        """The inverse."""
        plain = _along(activity, self._bent, self._plain)
        return plain if self._cycle is None else self._cycle.time(plain)

    def session_starts(
        self, first_s: FloatArray, pauses: FloatArray, lasts: FloatArray, place: IntArray, owner: IntArray
    ) -> FloatArray:
        """[sessions] when each starts; sessions of one device follow each other.

        first_s: [devices] start of each device's first session. pauses: [sessions] of activity before each, of no
        meaning for a first one. lasts: [sessions] seconds that each takes. place: [sessions] number of each among those
        of its device, from 0. owner: [sessions] its device, counted from 0.
        """
        starts = np.zeros(len(place))
        order = np.argsort(place, kind="stable")
        rounds = np.split(order, np.cumsum(np.bincount(place))[:-1])
        starts[rounds[0]] = first_s[owner[rounds[0]]]
        for now in rounds[1:]:
            before = now - 1
            starts[now] = self.time(self.until(starts[before] + lasts[before]) + pauses[now])
        return starts


def activity(pace: DrawnPace) -> Activity | None:
    """That of a pace; None where sessions begin at all times alike."""
    return Activity(pace.daily_cycle, pace.surges) if pace.daily_cycle or pace.surges else None


def _along(x: FloatArray, knots: FloatArray, values: FloatArray) -> FloatArray:
    """Straight lines between knots, and on beyond the last one with slope 1."""
    beyond = np.maximum(x - knots[-1], 0.0)
    return np.asarray(np.interp(x, knots, values) + beyond if len(knots) > 1 else x)
