"""The fleet of sleeping devices: what they share, how they come to life, and who has interacted in this moment."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from simulator.clock import INTERACTION, Sleeper
from simulator.device import SleepingDevice
from simulator.foresight import Foresight
from simulator.outcomes import IntArray
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
        self.clock.sleepers = self
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
        self._populate(stage)

    def _populate(self, stage: Stage) -> None:
        """Have devices come to life, each when it starts."""
        self._devices = np.empty(stage.world.devices, object)
        """[devices] those that have come to life."""
        # They do so one by one, as a million of them would only weigh on the queue of events.
        self._order = np.lexsort((np.arange(stage.world.devices), self.pace.starts))
        if self.departures is not None:
            unborn = self.pace.starts >= np.array(self.departures.stops)
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
        device = self._devices[number] = SleepingDevice(self, number)
        device.begin()
        self._next_birth()

    def sleep(self, device: SleepingDevice, time: int) -> None:
        """Let a device sleep until then."""
        self.clock.sleep(time, device.number)

    def one(self, time: int, device: int, note: int) -> Sleeper:
        """See `simulator.clock.Sleepers`."""
        sleeper: SleepingDevice = self._devices[device]
        return sleeper

    def fetch(self, times: IntArray, devices: IntArray, notes: IntArray) -> Sequence[Sleeper]:
        """See `simulator.clock.Sleepers`."""
        sleepers: list[SleepingDevice] = self._devices[devices].tolist()
        return sleepers

    def end(self) -> None:
        """Nothing more happens: what is still held was shown when its step came."""
        if self.restless:
            for device in filter(None, self._devices):
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
