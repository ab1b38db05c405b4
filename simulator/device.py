"""The sleeping device: it wakes where its policy asks next, and nowhere else.

Between two requests nothing can change what a device holds, so where it asks next follows from the outcomes of the list
it holds: the policy is asked about a run of steps at once, and the device sleeps until the first at which it asks. An
answer that comes while it sleeps (a late one, or one to a request that a newer one may replace) makes it look anew.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np

from simulator.clock import GIVE_UP, LEAVE, NEVER
from simulator.diary import Diary
from simulator.outcomes import NOTHING, IntArray
from simulator.request import ABANDONED, Request
from simulator.retry import Ask

if TYPE_CHECKING:
    from simulator.fleet import SleepingFleet


class SleepingDevice:
    """One device, from its first interaction to its last; an `Owner` of requests."""

    __slots__ = (
        "_alarm",
        "_blocked",
        "_diary",
        "_end",
        "_first",
        "_fleet",
        "_flight",
        "_fresh",
        "_gone",
        "_passed",
        "_shift",
        "_stop",
        "_times",
        "_told",
        "asked",
        "held",
        "next",
        "number",
    )

    def __init__(self, fleet: SleepingFleet, device: int) -> None:
        self._fleet = fleet
        self.number = device
        self._times, self._first, self._end = fleet.pace.clock(device)
        self.held = NOTHING
        self.asked = -1
        self._passed = -1
        """The last step at which it was awake."""
        self._told = -1
        """The last step that progress knows of."""
        self.next = 0
        self._shift = 0
        self._blocked = False
        self._flight: Request | Ask | None = None
        """What the device waits for, or still listens to."""
        self._alarm = NEVER
        """When it wakes for its next request; another time that was set before has no effect."""
        self._fresh: Request | None = None
        """The request whose answer is held, while it is not sure that any step is shown with it."""
        self._gone = False
        policy = fleet.foresight.policy
        self._diary = Diary(policy, self._moments) if policy.recalls else None
        self._stop: int | None = None
        if fleet.departures is not None:
            self._stop = fleet.departures.stops[device]
            self._end = bisect_left(self._times, self._stop, self._first, self._end)
            fleet.clock.at(self._stop, LEAVE + device, self._leave)

    @classmethod
    def awake(cls, fleet: SleepingFleet, number: int, held: int, step: int) -> SleepingDevice:
        """A device that has just asked at this step."""
        device = cls(fleet, number)
        device.held = held
        device.asked = device.next = device._passed = device._told = step
        return device

    def begin(self) -> None:
        """Live through the first interaction, which is now."""
        if self._fleet.foresight.policy.opens:
            self._alarm = self._fleet.clock.tick
            self.ask()
        else:
            self._look(0)

    def ask(self) -> None:
        """Send a request, at the step that the device slept for."""
        fleet, device, step = self._fleet, self.number, self.next
        now = fleet.clock.tick
        if self._alarm != now:
            return
        self._alarm = NEVER
        fleet.wake(device)
        self._passed = step
        caller = fleet.caller
        if caller is not None and not caller.admits(device):
            fleet.held_back[device] += 1
            self.shown()
            self._look(step + 1)
            return
        self._tell(step)
        if self._diary is not None:
            fleet.foresight.note_request(device, self.held, self.asked, step, self._diary, now)
        self.asked = step
        fleet.foresight.expect(device, step)
        if self._flight is not None:
            self._drop(self._flight)
        sender = fleet.exchange if caller is None else caller
        self._flight = sender.send(self, device, step, now - self._shift, self.held if self.held > 0 else 0)
        if fleet.deadline is not None:
            self._blocked = True
            fleet.clock.at(now + fleet.deadline, GIVE_UP + device, self._go_on, step)
        elif fleet.restless:
            self.shown()
            if fleet.replaces:
                self._look(step + 1)

    def _go_on(self, step: int) -> None:
        """The deadline of a blocking request: if it is still waited for, show what is held."""
        if self._blocked and step == self.asked:
            self._unblock()
            if self._fleet.replaces:
                self._look(self.asked + 1)

    def _unblock(self) -> None:
        """The user goes on, and all later interactions are as late as this one."""
        fleet, here = self._fleet, self._first + self.asked
        self._blocked = False
        self._shift = fleet.clock.tick - self._times[here]
        fleet.waited[self.number] = self._shift
        fleet.waits.extend((self.number, self.asked, self._shift))
        if self._stop is not None:
            self._end = bisect_left(self._times, self._stop - self._shift, here + 1, self._end)
        self.shown()

    def shown(self) -> None:
        """A step has been, or is sure to be, shown with what is held."""
        if self._fresh is not None:
            self._fleet.exchange.close(self._fresh)
            self._fresh = None

    def _moments(self, start: int, stop: int) -> IntArray:
        """[stop - start] when these steps come, if nothing makes the user wait."""
        return np.asarray(self._times[self._first + start : self._first + stop]) + self._shift

    def hears(self, price: float) -> None:
        """Look anew, as what is worth a request has changed."""
        if self._diary is None or self._gone:
            return
        self._diary.price, self._diary.priced = price, self._fleet.clock.tick
        if not self._blocked and (self._flight is None or self._fleet.replaces):
            self._look(self._coming())

    def settled(self, request: Request) -> None:
        """Take the answer where there is one, and sleep until the next request."""
        self._flight = None
        if self._blocked:
            step = self.asked
            self._take(request, step)
            self._unblock()
            step += 1
        else:
            step = self._coming()
            self._take(request, step)
        self._look(step)

    def late(self, request: Request) -> None:
        """Take an answer to an earlier request if it is newer than what is held."""
        if self._gone:
            self._fleet.exchange.close(request)
            return
        request.answered = request.reached
        step = self.asked if self._blocked else self._coming()
        free = not self._blocked and (self._flight is None or self._fleet.replaces)
        if self._take(request, step) and free:
            self._look(step)

    def _coming(self) -> int:
        """The first step that can see what has just happened; the number of steps if there is none."""
        since = self._fleet.seen_from(self.number) - self._shift
        after = self._first + self._passed + 1
        if after < self._end and self._times[after] >= since:  # as nearly always: answers are faster than users
            return after - self._first
        return bisect_left(self._times, since, after, self._end) - self._first

    def _take(self, request: Request, step: int) -> bool:
        """Hold an answer from this step on if it is one, is newer than what is held, and there is such a step."""
        if request.answered < 0 or request.cut <= self.held or self._first + step >= self._end:
            self._fleet.exchange.close(request)
            return False
        if self._fresh is not None:
            if self._fresh.applied == step:  # replaced before any step was shown with it
                self._fresh.applied = -1
            self.shown()
        self.held = request.cut
        if self._diary is not None:
            self._diary.held = request.sent
        request.applied = step
        self._fresh = request
        return True

    def _look(self, step: int) -> None:
        """Sleep until the policy asks, at `step` or later."""
        fleet, n = self._fleet, self._end - self._first
        found = fleet.foresight.next_ask(self.number, self.held, self.asked, step, n, self._diary)
        if self._fresh is not None and not fleet.restless and (fleet.deadline is None or found > step):
            self.shown()
        if found < n:
            self.next = found
            time = self._times[self._first + found] + self._shift
            self._alarm = time
            fleet.sleep(self, time)
        else:
            self._alarm = NEVER
            self._tell(n - 1)
            if self._stop is None:
                fleet.sleeps_until(self._times[self._end - 1] + self._shift)

    def _tell(self, step: int) -> None:
        """Tell progress of the steps up to this one."""
        if step > self._told:
            self._fleet.progress.add(step - self._told)
            self._told = step

    def _drop(self, flight: Request | Ask, status: int = ABANDONED) -> None:
        if isinstance(flight, Request):
            self._fleet.exchange.drop(flight, status)
        else:
            flight.give_up(status)

    def _leave(self, _: None) -> None:
        """Stop for good: what is in flight is given up, and a step that still waits is never shown."""
        fleet, device = self._fleet, self.number
        assert fleet.departures is not None
        lived = self._end - self._first
        if self._blocked:
            lived = self.asked
            fleet.waited[device] = fleet.clock.tick - self._times[self._first + lived]
            if self._fresh is not None and self._fresh.applied == lived:
                self._fresh.applied = -1
        self.shown()
        self._gone = True
        self._blocked = False
        self._alarm = NEVER
        fleet.lived[device] = lived
        if lived:
            fleet.ended = max(fleet.ended, self._times[self._first + lived - 1] + self._shift)
        if self._flight is not None:
            self._drop(self._flight, fleet.departures.fate(device))
            self._flight = None
        first, end = fleet.pace.clock(device)[1:]
        self._tell(end - first - 1)
