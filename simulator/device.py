"""The sleeping device: it wakes where its policy asks next, and nowhere else.

Between two requests nothing can change what a device holds, so where it asks next follows from the outcomes of the list
it holds: the policy is asked about a run of steps at once, and the device sleeps until the first at which it asks.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from simulator.clock import GIVE_UP, INTERACTION, Clock, Moment
from simulator.exchange import Exchange
from simulator.foresight import Foresight
from simulator.outcomes import NOTHING, IntArray
from simulator.pace import Pace
from simulator.progress import Progress
from simulator.request import ANSWERED, Request
from simulator.world import World


class SleepingFleet:
    """All devices of a run, and what they share."""

    def __init__(
        self,
        clock: Clock,
        world: World,
        pace: Pace,
        foresight: Foresight,
        exchange: Exchange,
        deadline: int | None,
        progress: Progress,
    ) -> None:
        self.clock = clock
        self.pace = pace
        self.foresight = foresight
        self.exchange = exchange
        self.deadline = deadline
        self.progress = progress
        self.waited: IntArray = np.zeros(world.devices, np.int64)
        """[devices] ticks that each device's user has waited."""
        self.ended = 0
        """Time of the latest interaction of the devices that sleep for good."""
        self._awake = (0, 0)
        # Devices come to life one by one, as a million of them would only weigh on the queue of events.
        self._order = np.lexsort((np.arange(world.devices), pace.starts))
        self._born = 0
        self._next_birth()

    def _next_birth(self) -> None:
        if self._born < len(self._order):
            device = int(self._order[self._born])
            self._born += 1
            self.clock.at(int(self.pace.starts[device]), INTERACTION + device, self._birth, device)

    def _birth(self, moment: Moment) -> None:
        SleepingDevice(self, moment.subject).begin()
        self._next_birth()

    def wake(self, device: int) -> None:
        """Note that a device interacts now."""
        self._awake = max(self._awake, (self.clock.tick, device))

    def seen_from(self, device: int) -> int:
        """The first moment whose interactions of this device can see what has just happened.

        That is now, unless a device behind it in the order of this moment has had its turn already.
        """
        now = self.clock.tick
        return now + 1 if (now, device) < self._awake else now


class SleepingDevice:
    """One device, from its first interaction to its last; an `Owner` of requests."""

    __slots__ = (
        "_asked",
        "_blocked",
        "_device",
        "_end",
        "_first",
        "_fleet",
        "_fresh",
        "_held",
        "_next",
        "_shift",
        "_times",
    )

    def __init__(self, fleet: SleepingFleet, device: int) -> None:
        self._fleet = fleet
        self._device = device
        self._times, self._first, self._end = fleet.pace.clock(device)
        self._held = NOTHING
        self._asked = -1
        self._next = 0
        self._shift = 0
        self._blocked = False
        self._fresh: Request | None = None
        """The request whose answer is held, while it is not sure that any step is shown with it."""

    def begin(self) -> None:
        """Live through the first interaction, which is now."""
        if self._fleet.foresight.policy.opens:
            self._ask(None)
        else:
            self._look(0)

    def _ask(self, moment: Moment | None) -> None:
        """Send a request, at the step that the device slept for."""
        fleet, device, step = self._fleet, self._device, self._next
        now = fleet.clock.tick
        fleet.wake(device)
        fleet.progress.add(step - self._asked)
        self._asked = step
        fleet.foresight.expect(device, step)
        request = fleet.exchange.send(self, device, step, self._times[self._first + step], max(self._held, 0))
        if fleet.deadline is not None:
            self._blocked = True
            fleet.clock.at(now + fleet.deadline, GIVE_UP + device, self._go_on, request)

    def _go_on(self, moment: Moment) -> None:
        """The deadline of a blocking request: if it is still waited for, show what is held."""
        if self._blocked and moment.subject.step == self._asked:
            self._unblock()

    def _unblock(self) -> None:
        """The user goes on, and all later interactions are as late as this one."""
        fleet = self._fleet
        self._blocked = False
        self._shift = fleet.clock.tick - self._times[self._first + self._asked]
        fleet.waited[self._device] = self._shift
        self._shown()

    def _shown(self) -> None:
        """A step is shown with what is held."""
        if self._fresh is not None:
            self._fleet.exchange.close(self._fresh)
            self._fresh = None

    def settled(self, request: Request) -> None:
        """Take the answer where there is one, and sleep until the next request."""
        fleet = self._fleet
        blocked, answered = self._blocked, request.status == ANSWERED
        if blocked:
            step = self._asked
        else:
            since = fleet.seen_from(self._device) - self._shift
            step = bisect_left(self._times, since, self._first + self._asked + 1, self._end) - self._first
        if answered and request.step > self._held and self._first + step < self._end:
            if self._fresh is not None:  # replaced before any step was shown with it
                self._fresh.applied = -1
                self._shown()
            self._held = request.step
            request.applied = step
            self._fresh = request
        else:
            fleet.exchange.close(request)
        if blocked:
            self._unblock()
            step += 1
        self._look(step)

    def _look(self, step: int) -> None:
        """Sleep until the policy asks, at `step` or later."""
        fleet, n = self._fleet, self._end - self._first
        found = fleet.foresight.next_ask(self._device, self._held, self._asked, step, n)
        if fleet.deadline is None or found > step:
            self._shown()
        if found < n:
            self._next = found
            time = self._times[self._first + found] + self._shift
            fleet.clock.at(time, INTERACTION + self._device, self._ask)
        else:
            fleet.progress.add(n - 1 - self._asked)
            fleet.ended = max(fleet.ended, self._times[self._end - 1] + self._shift)
