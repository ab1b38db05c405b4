"""The journey of a request: sent, arrived or lost, queued or rejected, served, answered or lost, timed out.

What the device knows is what reaches it: an answer, a rejection (an answer with a header only, sent at once), or
nothing until its time-out, after which it no longer listens, unless late answers are used. The cloud does not know of
time-outs and serves on, unless the scenario has it hear of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scenarios.schema.cloud import Cloud as CloudSpec
from simulator.clock import ANSWER, ARRIVAL, GIVE_UP, NEVER, Clock
from simulator.cloud import Cloud
from simulator.network import Network
from simulator.outcomes import NOTHING
from simulator.payload import PRICE_BYTES, Payload
from simulator.records import Records
from simulator.request import ABANDONED, ANSWERED, IN_FLIGHT, LOST, REJECTED, TIMED_OUT, Owner, Request
from simulator.row import Row


class Exchange:
    """Everything between the devices and their answers; the same for the sleeping and the live engine."""

    def __init__(
        self,
        clock: Clock,
        network: Network,
        payload: Payload,
        cloud: CloudSpec,
        timeout: int,
        seed: int,
        history: Callable[[Request], int],
        use_late: bool = False,
    ) -> None:
        self._clock = clock
        self._network = network
        self._payload = payload
        self._timeout = timeout
        self._use_late = use_late
        self.cloud = Cloud(clock, cloud, seed, history, self._reply)
        self._pricing = self.cloud.pricing
        self._prices: dict[int, float] = {}
        """Told by replies that are on their way, by number of the request."""
        self._hangs_up = cloud.drops_given_up
        self._hung_up: set[int] = set()
        """Numbers of requests of which this is known to the cloud before they are."""
        self._time_outs = Row(clock, self._time_out, self._awaited)  # by number: what is over shall leave memory before
        self.records = Records()
        self.issued = 0
        self.open: dict[int, Request] = {}
        """Requests by number that are not in the log yet."""

    def send(
        self,
        owner: Owner,
        device: int,
        step: int,
        intended: int,
        heard: int,
        attempt: int = 1,
        trip: int | None = None,
    ) -> Request:
        """Send a request now; the device knows that the cloud has heard of everything before step `heard`.

        trip: half its round trip, where that is drawn already.
        """
        clock, now = self._clock, self._clock.tick
        request = Request(self.issued, owner, device, step, intended, now, attempt)
        self.open[self.issued] = request
        self.issued += 1
        arrival = self._network.up(request, self._payload.request(step - heard), trip)
        if arrival == NEVER:
            request.status = LOST
            self.close(request)
        else:
            clock.at(arrival, ARRIVAL + device, self._arrive, request)
        self._time_outs.add(now + self._timeout, GIVE_UP + device, request.number)
        return request

    def close(self, request: Request) -> None:
        """One of the request's two ends is done with it."""
        request.ends -= 1
        if not request.ends:
            del self.open[request.number]
            self.records.add(request)

    def drop(self, request: Request, status: int = ABANDONED) -> None:
        """The device gives up a request that it still waits for; it is not told of its end."""
        request.status = status
        request.settled = self._clock.tick
        self._hang_up(request)
        self.close(request)

    def _arrive(self, request: Request) -> None:
        request.arrived = self._clock.tick
        if self._hung_up and request.number in self._hung_up:
            self._hung_up.remove(request.number)
            request.left = request.arrived
            self.close(request)
        else:
            self.cloud.arrive(request)
            if self._pricing is not None:
                self._pricing.arrived(request.arrived)

    def _reply(self, request: Request) -> None:
        size = self._payload.rejection if request.cut == NOTHING else self._payload.answer
        if self._pricing is not None:
            self._prices[request.number] = float(np.float16(self._pricing.price(self._clock.tick)))
            size += PRICE_BYTES
        arrival = self._network.down(request, size, self._clock.tick)
        if arrival == NEVER:
            if request.settled == NEVER:
                request.status = LOST
            self._prices.pop(request.number, None)
            self.close(request)
        else:
            self._clock.at(arrival, ANSWER + request.device, self._answer, request)

    def _answer(self, request: Request) -> None:
        request.reached = self._clock.tick
        if self._pricing is not None:  # also of a reply too late to be used: else who times out would never know why
            request.owner.hears(self._prices.pop(request.number))
        if request.settled == NEVER:
            if request.cut == NOTHING:
                request.status = REJECTED
            else:
                request.status = ANSWERED
                request.answered = request.reached
            request.settled = request.reached
            request.owner.settled(request)
        elif self._use_late and request.cut != NOTHING:
            request.ends += 1
            request.owner.late(request)
        self.close(request)

    def _awaited(self, number: int) -> bool:
        return number in self.open and self.open[number].settled == NEVER

    def _time_out(self, number: int) -> None:
        if self._awaited(number):
            request = self.open[number]
            if request.status == IN_FLIGHT:
                request.status = TIMED_OUT
            request.settled = self._clock.tick
            self._hang_up(request)
            request.owner.settled(request)

    def _hang_up(self, request: Request) -> None:
        """A device that gives up closes its connection, which the cloud hears if it is one that listens for that."""
        if self._hangs_up and request.status != LOST and request.finished == request.left == NEVER:
            heard = self._clock.tick + request.one_way
            self._clock.at(heard, ARRIVAL + request.device, self._forget, request)

    def _forget(self, request: Request) -> None:
        if request.arrived == NEVER:
            self._hung_up.add(request.number)
        elif self.cloud.cancel(request):
            self.close(request)
