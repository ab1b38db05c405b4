"""The usual cycle of a device, laid out beforehand: it asks, is answered before its user goes on, sleeps, asks again.

Where nothing but its own answers can change what a device does, all of this follows from where it asks. So it is found
for all devices at once that wake in the same stretch of time, and a device that sleeps is three numbers on a page of
the calendar and nothing else: no object that lies still for hours and is in no cache when it is wanted. What goes any
other way (an answer that is slow, old, lost or refused; a list that nobody has looked at) is lived through by a
`SleepingDevice`, until what it holds is again what it asked for last.
"""

from __future__ import annotations

from itertools import repeat
from typing import NamedTuple

import numpy as np

from simulator.clock import NEVER, Sleeper
from simulator.device import SleepingDevice
from simulator.fleet import SleepingFleet
from simulator.foresight import Foresight
from simulator.outcomes import NOTHING, IntArray
from simulator.request import Request
from simulator.stage import Stage

_CUT = 1 << 32
"""A note is the step at which a sleeper asks, plus this times the place of the list that it holds: 0 is that of none,
and 1 that of the list of cut 0."""


class CyclingFleet(SleepingFleet):
    """Devices whose cycles are usual ones nearly always; see `fits` for when."""

    @staticmethod
    def fits(stage: Stage, foresight: Foresight) -> bool:
        """Whether nothing but its own answers changes what a device does, its first interaction asks, and a rehearsal
        has found where devices ask next."""
        fleet = stage.world.fleet
        alone = all(each is None for each in (stage.caller, stage.departures, stage.pushes, stage.deadline))
        waits = fleet.flight == "single" and fleet.late_answers != "use"
        return alone and waits and foresight.policy.opens and foresight.knows

    def _populate(self, stage: Stage) -> None:
        self._network = stage.network
        self._lengths: IntArray = stage.world.lengths
        self._apart: dict[int, SleepingDevice] = {}
        """Those who do not hold what they asked for last."""
        for device, time in enumerate(self.pace.starts.tolist()):
            self.clock.sleep(time, device, _note(NOTHING, 0))

    def one(self, time: int, device: int, note: int) -> Sleeper:
        """See `simulator.clock.Sleepers`."""
        apart = self._apart.get(device)
        if apart is not None:
            return apart
        held, step = note // _CUT - 1, note % _CUT
        times, first, end = self.pace.clock(device)
        found = min(self.foresight.known_ask(device, step), end - first)
        after = times[first + step + 1] if found and first + step + 1 < end else NEVER
        rests = first + found == end
        then, trip = times[first + found - rests], self._network.trip(device, step, time)
        return Cycle(self, trip, device, held, step, after, found, rests, then)

    def fetch(self, times: IntArray, devices: IntArray, notes: IntArray) -> list[Sleeper]:
        """See `simulator.clock.Sleepers`."""
        pace, held, steps = self.pace, notes // _CUT - 1, notes % _CUT
        pace.make(devices)
        firsts, lengths = pace.firsts[devices], self._lengths[devices]
        found = np.minimum(self.foresight.known_asks(devices, steps), lengths)
        usual = (found > 0) & (steps + 1 < lengths)  # found is 0 where nobody has looked yet
        after = np.where(usual, pace.all[firsts + np.minimum(steps + 1, lengths - 1)], NEVER)
        rests = found == lengths
        then = pace.all[firsts + found - rests]
        columns = (each.tolist() for each in (devices, held, steps, after, found, rests, then))
        trips = self._network.trips(devices, steps, times)
        cycles: list[Sleeper] = list(map(Cycle._make, zip(repeat(self), trips, *columns, strict=False)))
        if self._apart:
            for place, device in enumerate(devices.tolist()):
                cycles[place] = self._apart.get(device, cycles[place])
        return cycles

    def sleep(self, device: SleepingDevice, time: int) -> None:
        """Let a device sleep until then."""
        if device.held == device.asked:
            self._apart.pop(device.number, None)
        else:
            self._apart[device.number] = device
        self.clock.sleep(time, device.number, _note(device.held, device.next))


class Cycle(NamedTuple):
    """One cycle of a device, and whom its request belongs to.

    trip: ticks of half its round trip. held: the cut of the list that the device holds as it asks at `step`. after:
    when the next step comes; `NEVER` where there is none, or what follows is not known. found: where it asks next, if
    it is answered by then, and `then` is when; where it rests, its number of steps, and when the last of them comes.
    """

    fleet: CyclingFleet
    trip: int
    device: int
    held: int
    step: int
    after: int
    found: int
    rests: bool
    then: int

    def ask(self) -> None:
        """Send the request."""
        fleet, trip, device, held, step, after, _, _, _ = self
        fleet.wake(device)
        fleet.progress.add(step - held)
        if after == NEVER:
            fleet.foresight.expect(device, step)
        fleet.exchange.send(self, device, step, fleet.clock.tick, held if held > 0 else 0, 1, trip)

    def settled(self, request: Request) -> None:
        """Take the answer and sleep on, or leave what is to be done to a device of its own."""
        fleet, _, device, held, step, after, found, rests, then = self
        if request.answered < 0 or request.cut != step or after < fleet.seen_from(device):
            SleepingDevice.awake(fleet, device, held, step).settled(request)
            return
        request.applied = step + 1
        fleet.exchange.close(request)
        if rests:
            fleet.progress.add(found - 1 - step)
            fleet.sleeps_until(then)
        else:
            fleet.clock.sleep(then, device, _note(step, found))

    def late(self, request: Request) -> None:
        """Never told: see `CyclingFleet.fits`."""
        raise AssertionError(request)

    def hears(self, price: float) -> None:
        """It is nothing to a policy that recalls nothing."""


def _note(held: int, step: int) -> int:
    return (held + 1) * _CUT + step


def fleet_of(stage: Stage, foresight: Foresight) -> SleepingFleet:
    """The devices of a run, as it allows."""
    return (CyclingFleet if CyclingFleet.fits(stage, foresight) else SleepingFleet)(stage, foresight)
