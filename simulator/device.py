"""The sleeping device: it wakes where its policy asks next, and nowhere else.

Between two requests nothing can change what a device holds, so where it asks next follows from the outcomes of the list
it holds: the policy is asked about a run of steps at once, and the device sleeps until the first at which it asks. An
answer that comes while it sleeps (a late one, or one to a request that a newer one may replace) makes it look anew.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

import numpy as np

from simulator.clock import GIVE_UP, INTERACTION, LEAVE, NEVER
from simulator.diary import Diary
from simulator.foresight import Foresight
from simulator.outcomes import NOTHING, IntArray
from simulator.request import ABANDONED, Request
from simulator.retry import Ask
from simulator.stage import Stage


class SleepingFleet:
    """All devices of a run, and what they share."""

    def __init__(self, stage: Stage, foresight: Foresight) -> None:
        world, pace, departures = stage.world, stage.pace, stage.departures
        self.clock = stage.clock
        self.pace = pace
        self.departures = departures
        self.foresight = foresight
        self.exchange = stage.exchange
        self.caller = stage.caller
        self.deadline = stage.deadline
        self.replaces = world.fleet.flight == "replace"
        self.restless = self.replaces or world.fleet.late_answers == "use"
        """Whether an answer may come although the device has slept on since another one came."""
        self._devices: list[SleepingDevice] = []
        self.progress = stage.progress
        self.waited: IntArray = np.zeros(world.devices, np.int64)
        """[devices] ticks that each device's user has waited."""
        if stage.pushes is not None:
            self.waited = stage.pushes.waited
        self.waits = array("q")
        """Of every wait that ended with an interaction: device, step, and ticks by which it and later ones are late."""
        self.held_back: IntArray = np.zeros(world.devices, np.int64)
        """[devices] requests that were wanted while the device's breaker was open."""
        self.lived: IntArray = world.lengths.copy()
        """[devices] interactions that each device has lived through in the end."""
        self.ended = 0
        """Time of the latest interaction of the devices that sleep for good."""
        self._awake_at = self._awake_last = 0
        """The latest moment at which a device interacted, and the last in order of those that did."""
        # Devices come to life one by one, as a million of them would only weigh on the queue of events.
        self._order = np.lexsort((np.arange(world.devices), pace.starts))
        if departures is not None:
            unborn = pace.starts >= np.array(departures.stops)
            self._order = self._order[~unborn[self._order]]
            self.progress.add(int(self.lived[unborn].sum()))
            self.lived[unborn] = 0
        self._born = 0
        self._next_birth()

    def _next_birth(self) -> None:
        if self._born < len(self._order):
            device = int(self._order[self._born])
            self._born += 1
            self.clock.at(int(self.pace.starts[device]), INTERACTION + device, self._birth, device)

    def _birth(self, number: int) -> None:
        device = SleepingDevice(self, number)
        if self.restless:
            self._devices.append(device)
        device.begin()
        self._next_birth()

    def end(self) -> None:
        """Nothing more happens: what is still held was shown when its step came."""
        for device in self._devices:
            device.shown()

    def sleeps_until(self, time: int) -> None:
        """A device asks no more and has its last interaction then; till the last of all, the world goes on."""
        if time > self.ended:
            self.ended = time
            if time > self.clock.tick:
                self.clock.due(time, INTERACTION)

    def wake(self, device: int) -> None:
        """Note that a device interacts now."""
        if self._awake_at < self.clock.tick:
            self._awake_at, self._awake_last = self.clock.tick, device
        elif self._awake_last < device:
            self._awake_last = device

    def seen_from(self, device: int) -> int:
        """The first moment whose interactions of this device can see what has just happened.

        That is now, unless a device behind it in the order of this moment has had its turn already.
        """
        now = self.clock.tick
        return now + 1 if now == self._awake_at and device < self._awake_last else now


class SleepingDevice:
    """One device, from its first interaction to its last; an `Owner` of requests."""

    __slots__ = (
        "_alarm",
        "_asked",
        "_blocked",
        "_device",
        "_diary",
        "_end",
        "_first",
        "_fleet",
        "_flight",
        "_fresh",
        "_gone",
        "_held",
        "_next",
        "_passed",
        "_shift",
        "_stop",
        "_times",
        "_told",
    )

    def __init__(self, fleet: SleepingFleet, device: int) -> None:
        self._fleet = fleet
        self._device = device
        self._times, self._first, self._end = fleet.pace.clock(device)
        self._held = NOTHING
        self._asked = -1
        self._passed = -1
        """The last step at which it was awake."""
        self._told = -1
        """The last step that progress knows of."""
        self._next = 0
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

    def begin(self) -> None:
        """Live through the first interaction, which is now."""
        if self._fleet.foresight.policy.opens:
            self._alarm = self._fleet.clock.tick
            self._ask()
        else:
            self._look(0)

    def _ask(self) -> None:
        """Send a request, at the step that the device slept for."""
        fleet, device, step = self._fleet, self._device, self._next
        if self._alarm != fleet.clock.tick:
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
            fleet.foresight.note_request(device, self._held, self._asked, step, self._diary, fleet.clock.tick)
        self._asked = step
        fleet.foresight.expect(device, step)
        if self._flight is not None:
            self._drop(self._flight)
        sender = fleet.exchange if caller is None else caller
        intended = self._times[self._first + step]
        self._flight = sender.send(self, device, step, intended, max(self._held, 0))
        if fleet.deadline is not None:
            self._blocked = True
            fleet.clock.at(fleet.clock.tick + fleet.deadline, GIVE_UP + device, self._go_on, step)
        elif fleet.restless:
            self.shown()
            if fleet.replaces:
                self._look(step + 1)

    def _go_on(self, step: int) -> None:
        """The deadline of a blocking request: if it is still waited for, show what is held."""
        if self._blocked and step == self._asked:
            self._unblock()
            if self._fleet.replaces:
                self._look(self._asked + 1)

    def _unblock(self) -> None:
        """The user goes on, and all later interactions are as late as this one."""
        fleet, here = self._fleet, self._first + self._asked
        self._blocked = False
        self._shift = fleet.clock.tick - self._times[here]
        fleet.waited[self._device] = self._shift
        fleet.waits.extend((self._device, self._asked, self._shift))
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
            step = self._asked
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
        step = self._asked if self._blocked else self._coming()
        free = not self._blocked and (self._flight is None or self._fleet.replaces)
        if self._take(request, step) and free:
            self._look(step)

    def _coming(self) -> int:
        """The first step that can see what has just happened; the number of steps if there is none."""
        since = self._fleet.seen_from(self._device) - self._shift
        after = self._first + self._passed + 1
        if after < self._end and self._times[after] >= since:  # as nearly always: answers are faster than users
            return after - self._first
        return bisect_left(self._times, since, after, self._end) - self._first

    def _take(self, request: Request, step: int) -> bool:
        """Hold an answer from this step on if it is one, is newer than what is held, and there is such a step."""
        if request.answered < 0 or request.cut <= self._held or self._first + step >= self._end:
            self._fleet.exchange.close(request)
            return False
        if self._fresh is not None:
            if self._fresh.applied == step:  # replaced before any step was shown with it
                self._fresh.applied = -1
            self.shown()
        self._held = request.cut
        if self._diary is not None:
            self._diary.held = request.sent
        request.applied = step
        self._fresh = request
        return True

    def _look(self, step: int) -> None:
        """Sleep until the policy asks, at `step` or later."""
        fleet, n = self._fleet, self._end - self._first
        found = fleet.foresight.next_ask(self._device, self._held, self._asked, step, n, self._diary)
        if not fleet.restless and (fleet.deadline is None or found > step):
            self.shown()
        if found < n:
            self._next = found
            time = self._times[self._first + found] + self._shift
            self._alarm = time
            fleet.clock.at(time, INTERACTION + self._device, SleepingDevice._ask, self)
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
        fleet, device = self._fleet, self._device
        assert fleet.departures is not None
        lived = self._end - self._first
        if self._blocked:
            lived = self._asked
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
