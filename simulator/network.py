"""The mobile network: when a message arrives, if it does.

A request and its answer share one draw of the round trip, half of it each way, so that the round trip has exactly the
distribution that the scenario states. To that comes size over bandwidth, each way. What is drawn belongs to (device,
step of the request, attempt), and whether the device's network and its region's are up to (device, time): what a device
would meet does not depend on what was asked before.

A transmission does not arrive with the class's probability of loss, or where the device or its region is without a
network when it is made. It may be made again after a time-out that doubles; the message arrives by the first that does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scenarios.schema.access import Access, Backoff, OnOff, Stalls
from scenarios.schema.network import Network as NetworkSpec
from simulator import renewal
from simulator.clock import MILLISECOND, NEVER, SECOND
from simulator.draws import uniform, uniforms
from simulator.outages import Outages, regions
from simulator.outcomes import IntArray
from simulator.request import Request
from simulator.roundtrip import one_way

TRANSMISSION = 1 << 48
"""Draws of a message's n-th retransmission have the message's index plus n times this."""


class Way(NamedTuple):
    """The purposes of the draws that befall messages of one way."""

    loss: str
    stall: str
    stall_length: str


UP = Way("uplink loss", "uplink stall", "uplink stall length")
DOWN = Way("downlink loss", "downlink stall", "downlink stall length")
PUSH = Way("push loss", "push stall", "push stall length")
PUSHES = 1 << 62
"""Draws of the one way of pushes have their index plus this: more than requests ever have."""


class Link:
    """What messages of one access class meet."""

    def __init__(self, spec: Access, seed: int, devices: int, purpose: str, outages: Outages | None) -> None:
        self.one_way, self.one_ways = one_way(spec, seed, devices)
        self.uplink = _ticks_per_byte(spec.uplink_mbps)
        self.downlink = _ticks_per_byte(spec.downlink_mbps)
        self._seed = seed
        self._loss = spec.loss
        again = spec.retransmission
        self._most, self._timeout = (
            (again.most, round(again.timeout_ms * MILLISECOND)) if isinstance(again, Backoff) else (0, 0)
        )
        stalls = spec.stalls
        self._stalls = stalls if isinstance(stalls, Stalls) and stalls.share else None
        on = spec.availability
        self._device = renewal.OnOff(on.on_s, on.off_s, seed, purpose) if isinstance(on, OnOff) else None
        self._outages = outages
        self.smooth = not (self._loss or self._stalls or self._device or outages)
        """Whether every message simply arrives."""

    def carry(self, way: Way, device: int, index: int, now: int) -> tuple[int, int]:
        """(ticks that a message sent now is held up, or NEVER where it does not arrive; transmissions made)."""
        seed, after = self._seed, 0
        for n in range(self._most + 1):
            lost = self._loss > 0 and uniform(seed, way.loss, device, index + n * TRANSMISSION) < self._loss
            if not lost and self._is_up(device, now + after):
                return after + self._stall(way, device, index), n + 1
            after += self._timeout << n
        return NEVER, self._most + 1

    def _is_up(self, device: int, time: int) -> bool:
        if self._device is not None and not self._device.is_on(device, time):
            return False
        return self._outages is None or not self._outages.hit(device, time)

    def _stall(self, way: Way, device: int, index: int) -> int:
        stalls = self._stalls
        if stalls is None or uniform(self._seed, way.stall, device, index) >= stalls.share:
            return 0
        length = uniform(self._seed, way.stall_length, device, index)
        return round((stalls.from_s + length * (stalls.to_s - stalls.from_s)) * SECOND)


class Network:
    """The network of a scenario, as every device meets it."""

    def __init__(self, spec: NetworkSpec, seed: int, devices: int) -> None:
        self.regions = regions(spec, seed, devices)
        """[devices] the region of each."""
        outages = Outages(spec, seed, self.regions.tolist()) if spec.outages else None
        kinds = access_classes(spec)
        self.links = [Link(kind, seed, devices, f"availability {i}", outages) for i, kind in enumerate(kinds)]
        self.classes = classes(seed, "access", [each.share for each in spec.mix], devices)
        """[devices] the access class of each, as a place in `access_classes`."""
        self._class_of = self.classes.astype(np.uint8).tobytes()  # a byte a device: the caches hold a million

    def trip(self, device: int, index: int, now: int) -> int:
        """Half the round trip of a request. index: of its draws."""
        return self.links[self._class_of[device]].one_way(device, index, now)

    def trips(self, devices: IntArray, indices: IntArray, times: IntArray) -> list[int]:
        """The same of many."""
        if len(self.links) == 1:
            return self.links[0].one_ways(devices, indices, times)
        kinds, trips = self.classes[devices], np.zeros(len(devices), np.int64)
        for kind in np.unique(kinds).tolist():
            some = kinds == kind
            trips[some] = self.links[kind].one_ways(devices[some], indices[some], times[some])
        return trips.tolist()

    def up(self, request: Request, size: int, trip: int | None = None) -> int:
        """Send a request of so many bytes now: the tick of its arrival, or NEVER. Notes what it weighs.

        trip: half its round trip, where that is drawn already.
        """
        link = self.links[self._class_of[request.device]]
        now = request.sent
        if trip is None:
            trip = self.trip(request.device, request.index, now)
        request.one_way = trip
        if link.smooth:
            request.uplink = size
            return now + trip + round(size * link.uplink)
        held_up, sent = link.carry(UP, request.device, request.index, now)
        request.uplink = size * sent
        return NEVER if held_up == NEVER else now + trip + round(size * link.uplink) + held_up

    def down(self, request: Request, size: int, now: int) -> int:
        """The same for the reply to a request."""
        link = self.links[self._class_of[request.device]]
        if link.smooth:
            request.downlink = size
            return now + request.one_way + round(size * link.downlink)
        held_up, sent = link.carry(DOWN, request.device, request.index, now)
        request.downlink = size * sent
        return NEVER if held_up == NEVER else now + request.one_way + round(size * link.downlink) + held_up

    def push(self, device: int, index: int, size: int, now: int) -> int:
        """Send so many bytes to a device that has not asked: the tick of their arrival, or NEVER."""
        link = self.links[self._class_of[device]]
        arrival = now + link.one_way(device, PUSHES + index, now) + round(size * link.downlink)
        if link.smooth:
            return arrival
        held_up, _ = link.carry(PUSH, device, index, now)
        return NEVER if held_up == NEVER else arrival + held_up


def access_classes(spec: NetworkSpec) -> list[Access]:
    """The classes of the mix, then the network's own."""
    return [*spec.mix, spec]


def classes(seed: int, purpose: str, shares: Sequence[float], devices: int) -> IntArray:
    """[devices] the class of each device, drawn by share; len(shares) where what is left of 1 falls to it."""
    drawn = uniforms(seed, purpose, np.arange(devices), np.zeros(devices, np.int64))
    ends = np.cumsum(shares)
    if len(ends) and ends[-1] > 1 - 1e-9:
        ends[-1] = 1.0  # nobody falls into a gap that only rounding leaves
    return np.asarray(np.searchsorted(ends, drawn, side="right"), np.int64)


def _ticks_per_byte(mbps: float | None) -> float:
    return 0.0 if mbps is None else 8 * SECOND / (mbps * 1e6)
