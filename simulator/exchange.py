"""The journey of a request: sent, arrived or lost, queued or rejected, served, answered or lost, timed out.

What the device knows is what reaches it: an answer, a rejection (an answer with a header only, sent at once), or
nothing until its time-out, after which it no longer listens. The cloud does not know of time-outs and serves on.
"""

from __future__ import annotations

from scenarios.schema.cloud import Cloud as CloudSpec
from simulator.clock import ANSWER, ARRIVAL, GIVE_UP, NEVER, Clock, Moment
from simulator.cloud import Cloud
from simulator.network import Network
from simulator.payload import Payload
from simulator.records import Records
from simulator.request import ANSWERED, IN_FLIGHT, LOST, REJECTED, TIMED_OUT, Owner, Request


class Exchange:
    """Everything between the devices and their answers; the same for the sleeping and the live engine."""

    def __init__(
        self, clock: Clock, network: Network, payload: Payload, cloud: CloudSpec, timeout: int, seed: int
    ) -> None:
        self._clock = clock
        self._network = network
        self._payload = payload
        self._timeout = timeout
        self.cloud = Cloud(clock, cloud, seed, self._served, self._rejected)
        self.records = Records()
        self.issued = 0

    def send(self, owner: Owner, device: int, step: int, intended: int, heard: int) -> Request:
        """Send a request now; the device knows that the cloud has heard of everything before step `heard`."""
        clock, now = self._clock, self._clock.tick
        request = Request(self.issued, owner, device, step, intended, now)
        self.issued += 1
        request.uplink = self._payload.request(step - heard)
        request.one_way = self._network.one_way(device, step)
        if self._network.loses_request(device, step):
            request.status = LOST
            self.close(request)
        else:
            arrival = now + request.one_way + self._network.uplink(request.uplink)
            clock.at(arrival, ARRIVAL + device, self._arrive, request)
        clock.at(now + self._timeout, GIVE_UP + device, self._time_out, request)
        return request

    def close(self, request: Request) -> None:
        """One of the request's two ends is done with it."""
        request.ends -= 1
        if not request.ends:
            self.records.add(request)

    def _arrive(self, moment: Moment) -> None:
        request: Request = moment.subject
        request.arrived = self._clock.tick
        self.cloud.arrive(request)

    def _served(self, request: Request) -> None:
        self._reply(request, self._payload.answer)

    def _rejected(self, request: Request) -> None:
        self._reply(request, self._payload.rejection)

    def _reply(self, request: Request, size: int) -> None:
        request.downlink = size
        device = request.device
        if self._network.loses_answer(device, request.step):
            if not request.settled:
                request.status = LOST
            self.close(request)
        else:
            arrival = self._clock.tick + request.one_way + self._network.downlink(size)
            self._clock.at(arrival, ANSWER + device, self._answer, request)

    def _answer(self, moment: Moment) -> None:
        request: Request = moment.subject
        if not request.settled:
            if request.finished == NEVER:
                request.status = REJECTED
            else:
                request.status = ANSWERED
                request.answered = self._clock.tick
            request.settled = True
            request.owner.settled(request)
        self.close(request)

    def _time_out(self, moment: Moment) -> None:
        request: Request = moment.subject
        if not request.settled:
            if request.status == IN_FLIGHT:
                request.status = TIMED_OUT
            request.settled = True
            request.owner.settled(request)
