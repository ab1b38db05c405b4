"""The simulated clock: whole nanoseconds, and an order for everything that falls on the same one.

Times are integers, so that sums are exact, equal is equal, and the books of a run balance to the tick. Where several
things fall on the same moment the cloud comes first, then the network, then what devices give up, then interactions,
each in the order of its devices. The order therefore never depends on who was scheduled first, and an engine that
sleeps through interactions meets the same world as one that wakes at each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from heapq import heapify, heappop, heappush
from itertools import chain
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
PAGE = 34
"""Bits of a tick within its page of the calendar, which is 17 s at first."""
FEW, MANY = 64, 1 << 13
"""Entries of a page below which pages become twice as long, and above which half as long."""

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


Entry = tuple[int, int, int, Callable[[Any], object], Any]
"""(time, priority, number by the order of setting, what is called then, its argument)"""


class Due(Event):
    """A set time for which processes may wait."""

    _ok = True
    _value = None


class Clock(Environment):
    """SimPy's environment, counting ticks from 0.

    SimPy's queue holds only the page of the calendar that is open, and so fits the processor's caches however many
    devices sleep; a later page is put in order when it is turned to. Pages become longer or shorter as it takes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._open: list[Entry] = self._queue  # type: ignore[assignment]  # SimPy's entries end with an event
        """Heap of the open page."""
        self.tick: int = 0
        """The current time."""
        self._weak = 0
        """Moments set by `meanwhile`."""
        self._bits = PAGE
        self._turns_at = 0
        """The first tick behind the open page."""
        self._pages: dict[int, list[Entry]] = {}
        self._paged = 0
        """Entries on later pages."""
        self._numbers: list[int] = []
        """Heap of the pages' numbers."""

    def at(self, time: int, priority: int, callback: Callable[[Any], object], subject: Any = None) -> None:
        """Let `callback` be called with `subject` at `time` >= now."""
        if time < self._turns_at:
            heappush(self._open, (time, priority, next(self._eid), callback, subject))
        else:
            self._write((time, priority, next(self._eid), callback, subject))

    def due(self, time: int, priority: int) -> Due:
        """A time for which a process may wait."""
        due = Due(self)
        self.enter((time, priority, next(self._eid), _happen, due))
        return due

    def schedule(self, event: Event, priority: int = 1, delay: float = 0) -> None:
        """Used by SimPy for its own events."""
        self.enter((self.tick + int(delay), priority, next(self._eid), _happen, event))

    def next_number(self) -> int:
        """For an entry that is made now and entered later."""
        return next(self._eid)

    def enter(self, entry: Entry) -> None:
        """Put an entry into the calendar."""
        if entry[0] < self._turns_at:
            heappush(self._open, entry)
        else:
            self._write(entry)

    def _write(self, entry: Entry) -> None:
        """Put an entry on a later page."""
        number = entry[0] >> self._bits
        self._paged += 1
        page = self._pages.get(number)
        if page is None:
            self._pages[number] = [entry]
            heappush(self._numbers, number)
        else:
            page.append(entry)

    def meanwhile(self, time: int, priority: int, callback: Callable[[Any], object], subject: object = None) -> None:
        """Like `at`, for what goes on beside all else and is no reason for the run to go on: see `over`."""
        self._weak += 1
        self.at(time, priority, self._meanwhile, (callback, subject))

    def _meanwhile(self, what: tuple[Callable[[Any], object], Any]) -> None:
        self._weak -= 1
        callback, subject = what
        callback(subject)

    @property
    def over(self) -> bool:
        """Whether nothing is set but what goes on beside all else."""
        return len(self._open) + self._paged == self._weak

    def expects(self, kinds: Collection[int]) -> bool:
        """Whether anything of these kinds (`ARRIVAL` and the like) is set."""
        entries = chain(self._open, *self._pages.values())
        return any(entry[1] // _CLASS * _CLASS in kinds for entry in entries)

    def play(self, look: Callable[[], None]) -> None:
        """Let everything happen that is scheduled, in order, until nothing is left; `look` is called now and then."""
        queue = self._open
        while queue or self._turn():
            for _ in range(PATIENCE):
                if not queue and not self._turn():
                    return
                self.tick, _, _, callback, subject = heappop(queue)
                callback(subject)
            look()

    def _turn(self) -> bool:
        """Open the next page, or say that there is none."""
        if not self._numbers:
            return False
        number = heappop(self._numbers)
        page = self._pages.pop(number)
        self._paged -= len(page)
        self._open += page
        heapify(self._open)
        self._turns_at = (number + 1) << self._bits
        if len(page) < FEW and len(self._pages) > 1:
            self._deal(self._bits + 1)
        elif len(page) > MANY and self._bits:
            self._deal(self._bits - 1)
        return True

    def _deal(self, bits: int) -> None:
        """Put what is on later pages on pages of another length."""
        entries = list(chain.from_iterable(self._pages.values()))
        self._bits = bits
        self._pages, self._numbers, self._paged = {}, [], 0
        for entry in entries:
            self._write(entry)


def _happen(event: Any) -> None:
    """Wake the processes that wait for an event, as SimPy does."""
    event.env._now = event.env.tick
    callbacks = event.callbacks
    event.callbacks = None  # as SimPy marks what has happened
    for callback in callbacks:
        callback(event)
    if not event._ok:
        raise event._value  # a process that failed


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
        self._later: deque[tuple[int, int, int, Any]] = deque()
        self._entered = 0
        self._until = -1

    def add(self, time: int, priority: int, subject: Any) -> None:
        """Let it happen at `time`, which is none before that of any added so far."""
        entry = (time, priority, self._clock.next_number(), subject)
        if not self._entered or time == self._until:
            self._enter(entry)
        else:
            self._later.append(entry)

    def _enter(self, entry: tuple[int, int, int, Any]) -> None:
        time, priority, number, subject = entry
        self._clock.enter((time, priority, number, self._happen, subject))
        self._entered += 1
        self._until = time

    def _happen(self, subject: Any) -> None:
        self._callback(subject)
        self._entered -= 1
        later = self._later
        if self._entered or not later:
            return
        while len(later) > 1 and not self._matters(later[0][3]):
            later.popleft()
        self._enter(later.popleft())
        while later and later[0][0] == self._until:
            self._enter(later.popleft())
