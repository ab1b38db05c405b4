"""The simulated clock: whole nanoseconds, and an order for everything that falls on the same one.

Times are integers, so that sums are exact, equal is equal, and the books of a run balance to the tick. Where several
things fall on the same moment the cloud comes first, then the network, then what devices give up, then interactions,
each in the order of its devices. The order therefore never depends on who was scheduled first, and an engine that
sleeps through interactions meets the same world as one that wakes at each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from heapq import heappop, heappush
from typing import Any

from simpy import Environment, Event

SECOND = 1_000_000_000
"""Ticks of a second."""
MILLISECOND = 1_000_000
"""Ticks of a millisecond."""
NEVER = -1
"""A time that did not come."""
PATIENCE = 1 << 20
"""Events after which a run must have got somewhere: about a second of computing."""

_CLASS = 1 << 28
SERVED = 0 * _CLASS
"""Priority of a batch that is done; add the replica. The lower a priority, the earlier within a moment."""
CAPACITY = SERVED + (1 << 27)
"""Of a replica that comes, goes, crashes or changes its speed; add the replica."""
ARRIVAL = 1 * _CLASS
"""Of a request that reaches the cloud; add the device, here and below."""
BATCH_DUE = 2 * _CLASS
"""Of a batch that need not wait longer for others."""
ANSWER = 3 * _CLASS
"""Of an answer that reaches its device."""
GIVE_UP = 4 * _CLASS
"""Of a time-out or a deadline: an answer of the same moment is in time."""
RESEND = 5 * _CLASS
"""Of a request that is made once more."""
LEAVE = 6 * _CLASS
"""Of a device that stops for good: it has heard all that this moment brought, and does not interact in it."""
INTERACTION = 7 * _CLASS
"""Of a user's interaction: it sees all the above."""


def ticks(seconds: float) -> int:
    """Whole ticks nearest to a time in seconds."""
    return round(seconds * SECOND)


class Moment(Event):
    """Something that happens at a set time: its callback is called with it, and finds its subject there.

    One without a callback is an event of SimPy, for which processes may wait.
    """

    _ok = True
    _value = None

    def __init__(self, clock: Clock, callback: Callable[[Any], None] | None, subject: object) -> None:
        self.callback = callback
        self.subject: Any = subject
        if callback is None:
            self.env = clock
            self.callbacks = []


class Clock(Environment):
    """SimPy's environment, counting ticks from 0."""

    tick: int = 0
    """The current time."""
    _weak = 0
    """Moments set by `meanwhile`."""

    def at(
        self, time: int, priority: int, callback: Callable[[Any], None] | None = None, subject: object = None
    ) -> Moment:
        """Let something happen at `time` >= now; a process may also wait for it."""
        moment = Moment(self, callback, subject)
        heappush(self._queue, (time, priority, next(self._eid), moment))  # type: ignore[misc]  # SimPy's are ints too
        return moment

    def meanwhile(self, time: int, priority: int, callback: Callable[[Any], None], subject: object = None) -> None:
        """Like `at`, for what goes on beside all else and is no reason for the run to go on: see `over`."""
        self._weak += 1
        self.at(time, priority, self._meanwhile, (callback, subject))

    def _meanwhile(self, moment: Moment) -> None:
        self._weak -= 1
        callback, moment.subject = moment.subject
        callback(moment)

    @property
    def over(self) -> bool:
        """Whether nothing is set but what goes on beside all else."""
        return len(self._queue) == self._weak

    def expects(self, kinds: Collection[int]) -> bool:
        """Whether anything of these kinds (`ARRIVAL` and the like) is set."""
        return any(entry[1] // _CLASS * _CLASS in kinds for entry in self._queue)

    def play(self, look: Callable[[], None]) -> None:
        """Let everything happen that is scheduled, in order, until nothing is left; `look` is called now and then."""
        queue = self._queue
        while queue:
            for _ in range(PATIENCE):
                if not queue:
                    return
                self.tick, _, _, event = heappop(queue)  # type: ignore[assignment]  # all that is set is set at ticks
                self._now = self.tick
                if type(event) is Moment and event.callback is not None:
                    event.callback(event)
                    continue
                callbacks: Any = event.callbacks
                event.callbacks = None  # type: ignore[assignment]  # as SimPy marks what has happened
                for callback in callbacks:
                    callback(event)
                if not event._ok:
                    raise event._value  # a process that failed
            look()
