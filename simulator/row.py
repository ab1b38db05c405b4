"""A row of moments of which nearly none matters, as time-outs are: one of them is in the calendar at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from simulator.clock import Clock, Entry


class Row:
    """Moments that are set in the order of their times, most of which turn out not to matter, as those of time-outs.

    Only the first of them is in the calendar, with those of the same time; those that do not matter any more by then
    are passed over, but for the last: a run that waits for it goes on till then. Nothing else tells a row from moments
    set one by one.
    """

    def __init__(self, clock: Clock, callback: Callable[[Any], object], matters: Callable[[Any], bool]) -> None:
        self._clock = clock
        self._callback = callback
        self._matters = matters
        self._numbers = clock.numbers
        self._later: deque[Entry] = deque()
        self._entered = 0
        self._until = -1

    def add(self, time: int, priority: int, subject: Any) -> None:
        """Let it happen at `time`, which is none before that of any added so far."""
        entry = (time, priority, next(self._numbers), self._happen, subject)
        if not self._entered or time == self._until:
            self._enter(entry)
        else:
            self._later.append(entry)

    def _enter(self, entry: Entry) -> None:
        self._clock.enter(entry)
        self._entered += 1
        self._until = entry[0]

    def _happen(self, subject: Any) -> None:
        self._callback(subject)
        self._entered -= 1
        later = self._later
        if self._entered or not later:
            return
        while len(later) > 1 and not self._matters(later[0][4]):
            later.popleft()
        self._enter(later.popleft())
        while later and later[0][0] == self._until:
            self._enter(later.popleft())
