"""A daily cycle of session starts: pauses pass quickly by day and slowly at night.

Pauses are counted in activity rather than in seconds: the rate of activity is 1 + depth cos(2 pi t / day), so time 0 is
the busiest moment of a day and the quietest comes half a day later. Sessions begin as often as the rate says, while the
mean pause stays what it is (a renewal process seen through a change of time).
"""

from __future__ import annotations

import numpy as np

from simulator.outcomes import FloatArray, IntArray

DAY_S = 86400.0
_GRID_S = np.linspace(0.0, DAY_S, 2881)


class DailyCycle:
    """Seconds to activity and back; depth in 0 .. 1."""

    def __init__(self, depth: float) -> None:
        self._depth = depth
        self._covered = self.activity(_GRID_S)

    def activity(self, time_s: FloatArray) -> FloatArray:
        """What has passed of activity until then; as many seconds on the average."""
        swing = self._depth * DAY_S / (2 * np.pi)
        return np.asarray(time_s + swing * np.sin(2 * np.pi * time_s / DAY_S))

    def time(self, activity: FloatArray) -> FloatArray:
        """The inverse."""
        days, rest = np.divmod(activity, DAY_S)
        return np.asarray(days * DAY_S + np.interp(rest, self._covered, _GRID_S))

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
            starts[now] = self.time(self.activity(starts[before] + lasts[before]) + pauses[now])
        return starts
