"""The LLM service: a bounded queue, batches, replicas that serve them.

First come, first served. A replica that is free takes a batch as soon as `max_size` requests wait or the oldest of them
has waited `max_wait_ms`; it works on it for the time that the table gives for the batch's size, then hands all its
members over. A request that finds every replica busy and `queue_limit` others waiting is rejected.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from statistics import NormalDist

import numpy as np

from scenarios.schema.cloud import Cloud as CloudSpec
from scenarios.schema.cloud import ServiceTimes
from simulator.clock import BATCH_DUE, MILLISECOND, NEVER, SERVED, Clock, Moment
from simulator.draws import uniform
from simulator.request import Request

_normal = NormalDist().inv_cdf


class Cloud:
    """The service; `served` and `rejected` are told of every request that leaves it."""

    def __init__(
        self,
        clock: Clock,
        spec: CloudSpec,
        seed: int,
        served: Callable[[Request], None],
        rejected: Callable[[Request], None],
    ) -> None:
        self._clock = clock
        self._seed = seed
        self._served = served
        self._rejected = rejected
        self._limit = math.inf if spec.queue_limit is None else spec.queue_limit
        self._max_size = spec.batching.max_size
        self._max_wait = round(spec.batching.max_wait_ms * MILLISECOND)
        self._work = _work_by_size(spec.service, self._max_size)
        self._sigma = spec.service.sigma
        self._queue: deque[Request] = deque()
        self._alarm = NEVER
        self._idle = list(range(spec.replicas))
        self._batches = [0] * spec.replicas
        self.busy = [0] * spec.replicas
        """Ticks that each replica has worked."""

    def arrive(self, request: Request) -> None:
        """Take a request in, or reject it."""
        if not self._idle and len(self._queue) >= self._limit:
            self._rejected(request)
            return
        self._queue.append(request)
        if self._idle:
            self._take()

    def _take(self) -> None:
        """Put every idle replica to work for which there is a batch."""
        queue, now = self._queue, self._clock.tick
        while self._idle and queue:
            due = queue[0].arrived + self._max_wait
            if len(queue) < self._max_size and due > now:
                if due > self._alarm:
                    self._alarm = due
                    self._clock.at(due, BATCH_DUE, self._due)
                return
            self._start([queue.popleft() for _ in range(min(len(queue), self._max_size))])

    def _due(self, moment: Moment) -> None:
        self._take()

    def _start(self, batch: list[Request]) -> None:
        now, replica, size = self._clock.tick, heappop(self._idle), len(batch)
        work = self._work[size]
        if self._sigma:
            normal = _normal(uniform(self._seed, "service", replica, self._batches[replica]))
            work *= math.exp(self._sigma * (normal - self._sigma / 2))
        self._batches[replica] += 1
        for request in batch:
            request.started = now
            request.replica = replica
            request.batch_size = size
        self._clock.at(now + round(work), SERVED + replica, self._done, batch)

    def _done(self, moment: Moment) -> None:
        batch: list[Request] = moment.subject
        now, first = self._clock.tick, batch[0]
        self.busy[first.replica] += now - first.started
        heappush(self._idle, first.replica)
        for request in batch:
            request.finished = now
            self._served(request)
        self._take()


def _work_by_size(service: ServiceTimes, max_size: int) -> list[float]:
    """Ticks of work on a batch of each size; [0] is never used."""
    sizes = sorted(service.milliseconds)
    known = [service.milliseconds[size] * MILLISECOND for size in sizes]
    return [float(ticks) for ticks in np.interp(np.arange(max_size + 1), sizes, known)]
