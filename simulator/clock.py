"""The simulated clock: whole nanoseconds, and an order for everything that falls on the same one.

Times are integers, so that sums are exact, equal is equal, and the books of a run balance to the tick. Where several
things fall on the same moment the cloud comes first, then the network, then what devices give up, then interactions,
each in the order of its devices. The order therefore never depends on who was scheduled first, and an engine that
sleeps through interactions meets the same world as one that wakes at each.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from heapq import heapify, heappop, heappush
from itertools import chain, repeat
from operator import methodcaller
from typing import Any, Protocol

import numpy as np
from simpy import Environment, Event

from simulator.outcomes import IntArray

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
CHUNK = 512
"""Sleepers that are fetched from memory at once: they are all in the caches when they wake."""

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


class Sleeper(Protocol):
    """Who sleeps; `ask` is called when that is over."""

    def ask(self) -> object:
        """Wake."""


class Sleepers(Protocol):
    """Knows who sleeps by number of the device and a note, which is a whole number of its choice."""

    def one(self, time: int, device: int, note: int) -> Sleeper:
        """The one who wakes then."""

    def fetch(self, times: IntArray, devices: IntArray, notes: IntArray) -> Sequence[Sleeper]:
        """Many, in the order given."""


class Page:
    """What is set for a later stretch of time: entries as they are, and of devices that sleep until then three numbers
    each, as there may be a million of them."""

    __slots__ = ("devices", "entries", "notes", "times")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.times = array("q")
        self.devices = array("q")
        self.notes = array("q")

    def __len__(self) -> int:
        return len(self.entries) + len(self.times)


class Clock(Environment):
    """SimPy's environment, counting ticks from 0.

    SimPy's queue holds only what was set for the page of the calendar that is open, and of the devices that wake on it
    the next, so it stays short however many sleep; a later page is put in order when it is turned to. Pages become
    longer or shorter as it takes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._open: list[Entry] = self._queue  # type: ignore[assignment]  # SimPy's entries end with an event
        """Heap of the open page."""
        self.tick: int = 0
        """The current time."""
        self.numbers: Iterator[int] = self._eid
        """Of entries, by the order of setting."""
        self.sleepers: Sleepers | None = None
        """Those who sleep, where anybody does."""
        self._wakings: Iterator[Entry] = iter(())
        """Of the open page, in order, but for the first of them, which is in the heap."""
        self._waking: Entry | None = None
        self._slept = 0
        """Sleepers on pages turned to so far."""
        self._weak = 0
        """Moments set by `meanwhile`."""
        self._bits = PAGE
        self._turns_at = 0
        """The first tick behind the open page."""
        self._pages: dict[int, Page] = {}
        self._paged = 0
        """Entries on later pages, and sleepers on this one that are not in the heap yet."""
        self._numbers: list[int] = []
        """Heap of the pages' numbers."""

    def at(self, time: int, priority: int, callback: Callable[[Any], object], subject: Any = None) -> None:
        """Let `callback` be called with `subject` at `time` >= now."""
        if time < self._turns_at:
            heappush(self._open, (time, priority, next(self._eid), callback, subject))
        else:
            self._page(time).entries.append((time, priority, next(self._eid), callback, subject))

    def sleep(self, time: int, device: int, note: int = 0) -> None:
        """Let this one of the `sleepers` wake at `time` >= now, as an interaction of its."""
        if time < self._turns_at:
            assert self.sleepers is not None
            entry: Entry = (time, INTERACTION + device, next(self._eid), _ask, self.sleepers.one(time, device, note))
            heappush(self._open, entry)
        else:
            page = self._page(time)
            page.times.append(time)
            page.devices.append(device)
            page.notes.append(note)

    def due(self, time: int, priority: int) -> Due:
        """A time for which a process may wait."""
        due = Due(self)
        self.enter((time, priority, next(self._eid), _happen, due))
        return due

    def schedule(self, event: Event, priority: int = 1, delay: float = 0) -> None:
        """Used by SimPy for its own events."""
        self.enter((self.tick + int(delay), priority, next(self._eid), _happen, event))

    def enter(self, entry: Entry) -> None:
        """Put an entry into the calendar."""
        if entry[0] < self._turns_at:
            heappush(self._open, entry)
        else:
            self._page(entry[0]).entries.append(entry)

    def _page(self, time: int) -> Page:
        """The later page of a time, to which one more is added."""
        number = time >> self._bits
        self._paged += 1
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = Page()
            heappush(self._numbers, number)
        return page

    def meanwhile(self, time: int, priority: int, callback: Callable[[Any], object], subject: object = None) -> None:
        """Like `at`, for what goes on beside all else and is no reason for the run to go on: see `over`."""
        self._weak += 1
        self.at(time, priority, self._meanwhile, (callback, subject))

    def _meanwhile(self, what: tuple[Callable[[Any], object], Any]) -> None:
        self._weak -= 1
        callback, subject = what
        callback(subject)

    @property
    def moments(self) -> int:
        """All that was set so far, but for those who sleep beyond the open page."""
        return next(self._eid) + self._slept

    @property
    def over(self) -> bool:
        """Whether nothing is set but what goes on beside all else."""
        return len(self._open) + self._paged == self._weak

    def expects(self, kinds: Collection[int]) -> bool:
        """Whether anything of these kinds (`ARRIVAL` and the like) is set."""
        later = list(chain.from_iterable(page.entries for page in self._pages.values()))
        if self._paged > len(later) and INTERACTION in kinds:
            return True
        return any(entry[1] // _CLASS * _CLASS in kinds for entry in chain(self._open, later))

    def play(self, look: Callable[[], None]) -> None:
        """Let everything happen that is scheduled, in order, until nothing is left; `look` is called now and then."""
        queue = self._open
        while queue or self._turn():
            for _ in range(PATIENCE):
                if not queue and not self._turn():
                    return
                entry = heappop(queue)
                if entry is self._waking:
                    self._next_waking()
                self.tick, _, _, callback, subject = entry
                callback(subject)
            look()

    def _next_waking(self) -> None:
        self._waking = next(self._wakings, None)
        if self._waking is not None:
            self._paged -= 1
            heappush(self._open, self._waking)

    def _turn(self) -> bool:
        """Open the next page, or say that there is none."""
        if not self._numbers:
            return False
        number = heappop(self._numbers)
        page = self._pages.pop(number)
        self._paged -= len(page.entries)
        self._open += page.entries
        heapify(self._open)
        if page.times:
            self._wakings = self._wake_in_turn(page)
            self._slept += len(page.times)
            self._next_waking()
        self._turns_at = (number + 1) << self._bits
        if len(page) < FEW and len(self._pages) > 1:
            self._deal(self._bits + 1)
        elif len(page) > MANY and self._bits:
            self._deal(self._bits - 1)
        return True

    def _wake_in_turn(self, page: Page) -> Iterator[Entry]:
        """Entries of those who sleep until this page, in order."""
        assert self.sleepers is not None
        times, devices, notes = (np.frombuffer(each, np.int64) for each in (page.times, page.devices, page.notes))
        order = np.lexsort((devices, times))
        for some in np.split(order, range(CHUNK, len(order), CHUNK)):
            time, device = times[some], devices[some]
            sleepers = self.sleepers.fetch(time, device, notes[some])
            moments = time.tolist(), (device + INTERACTION).tolist(), repeat(-1)  # before all that is set now
            yield from zip(*moments, repeat(_ask), sleepers, strict=False)

    def _deal(self, bits: int) -> None:
        """Put what is on later pages on pages of another length."""
        pages = list(self._pages.values())
        waiting = self._paged - sum(map(len, pages))
        self._bits = bits
        self._pages, self._numbers, self._paged = {}, [], waiting
        for page in pages:
            for entry in page.entries:
                self._page(entry[0]).entries.append(entry)
            for sleep in zip(page.times, page.devices, page.notes, strict=True):
                self.sleep(*sleep)


_ask = methodcaller("ask")


def _happen(event: Any) -> None:
    """Wake the processes that wait for an event, as SimPy does."""
    event.env._now = event.env.tick
    callbacks = event.callbacks
    event.callbacks = None  # as SimPy marks what has happened
    for callback in callbacks:
        callback(event)
    if not event._ok:
        raise event._value  # a process that failed
