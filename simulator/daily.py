"""A daily cycle: pauses pass quickly by day and slowly at night.

The rate of activity is 1 + depth cos(2 pi t / day), so time 0 is the busiest moment of a day and the quietest comes
half a day later; the mean pause stays what it is.
"""

from __future__ import annotations

import numpy as np

from simulator.outcomes import FloatArray

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
