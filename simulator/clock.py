"""The simulated clock: whole nanoseconds, and an order for everything that falls on the same one.

Times are integers, so that sums are exact, equal is equal, and the books of a run balance to the tick. Where several
things fall on the same moment the cloud comes first, then the network, then what devices give up, then interactions,
each in the order of its devices. The order therefore never depends on who was scheduled first, and an engine that
sleeps through interactions meets the same world as one that wakes at each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simpy import Environment, Event

SECOND = 1_000_000_000
"""Ticks of a second."""
MILLISECOND = 1_000_000
"""Ticks of a millisecond."""
NEVER = -1
"""A time that did not come."""

_CLASS = 1 << 28
SERVED = 0 * _CLASS
"""Priority of a batch that is done; add the replica. The lower a priority, the earlier within a moment."""
ARRIVAL = 1 * _CLASS
"""Of a request that reaches the cloud; add the device, here and below."""
BATCH_DUE = 2 * _CLASS
"""Of a batch that need not wait longer for others."""
ANSWER = 3 * _CLASS
"""Of an answer that reaches its device."""
GIVE_UP = 4 * _CLASS
"""Of a time-out or a deadline: an answer of the same moment is in time."""
INTERACTION = 5 * _CLASS
"""Of a user's interaction: it sees all the above."""


def ticks(seconds: float) -> int:
    """Whole ticks nearest to a time in seconds."""
    return round(seconds * SECOND)


class Moment(Event):
    """Something that happens at a set time: its callback is called with it, and finds its subject there."""

    _ok = True
    _value = None

    def __init__(self, clock: Clock, callback: Callable[[Any], None] | None, subject: object) -> None:
        self.env = clock
        self.callbacks = [] if callback is None else [callback]
        self.subject: Any = subject


class Clock(Environment):
    """SimPy's environment, counting ticks from 0."""

    @property
    def tick(self) -> int:
        """The current time."""
        return self._now  # type: ignore[return-value]  # everything here is scheduled at whole ticks

    def at(
        self, time: int, priority: int, callback: Callable[[Any], None] | None = None, subject: object = None
    ) -> Moment:
        """Let something happen at `time` >= now; a process may also wait for it."""
        moment = Moment(self, callback, subject)
        self.schedule(moment, priority, time - self._now)  # type: ignore[arg-type]  # SimPy's own priorities are ints
        return moment
