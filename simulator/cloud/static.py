"""Static batching: a batch is taken as a whole, worked on as a whole and done as a whole."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from simulator.clock import BATCH_DUE, NEVER, SERVED
from simulator.cloud.discipline import Line
from simulator.cloud.station import Rules, Station
from simulator.request import Request


class StaticStation(Station):
    """A free replica takes a batch once `max_size` requests wait or the oldest has waited for `max_wait` ticks."""

    def __init__(self, rules: Rules, line: Line, number: int, max_size: int, max_wait: int) -> None:
        super().__init__(rules, line)
        self._number = number
        self._max_size = max_size
        self._max_wait = max_wait
        self._table = rules.work.table
        self._varies = rules.work.varies
        self._sheds = rules.patience is not None
        self._alarm = NEVER
        self._idle: list[int] = []
        self._working: dict[int, list[Request]] = {}
        """Batches by replica."""

    def arrive(self, request: Request) -> None:
        """Take a request in, or refuse it where no replica is free and the queue is full."""
        if not self._idle and len(self.line) >= self._limit:
            self._refused(request)
            return
        self.line.append(request)
        if self._idle:
            self._take()

    def restore(self, requests: list[Request]) -> None:
        """Take back those whose work was lost."""
        self.line.restore(requests)
        self._take()

    def in_work(self) -> int:
        """Requests that are worked on."""
        return sum(map(len, self._working.values()))

    def open(self, replica: int) -> None:
        """A replica takes work from now on."""
        heappush(self._idle, replica)
        self._take()

    def close(self, replica: int, closed: Callable[[int], None]) -> None:
        """A replica takes no more work."""
        if replica in self._working:
            self._closing[replica] = closed
        else:
            self._idle.remove(replica)
            heapify(self._idle)
            closed(replica)

    def crash(self, replica: int) -> list[Request]:
        """A replica loses its batch."""
        self._closing.pop(replica, None)
        batch = self._working.pop(replica, None)
        if batch is None:
            self._idle.remove(replica)
            heapify(self._idle)
            return []
        lost = batch.copy()
        batch.clear()  # so that its end is passed over
        if lost:
            self._busy[replica] += self._clock.tick - lost[0].started
        return lost

    def change_speed(self, replica: int) -> None:
        """The batch in work keeps its speed."""

    def _take(self) -> None:
        """Put every idle replica to work for which there is a batch."""
        line, idle, now = self.line, self._idle, self._clock.tick
        while idle and line:
            size = len(line)
            if size < self._max_size:
                due = line.oldest() + self._max_wait
                if due > now:
                    if due != self._alarm:
                        self._alarm = due
                        self._clock.at(due, BATCH_DUE + self._number, self._due)
                    return
            else:
                size = self._max_size
            if self._sheds:
                batch = self._next(size)
                if batch:
                    self._start(batch)
            else:
                self._start([line.popleft() for _ in range(size)] if size > 1 else [line.popleft()])

    def _due(self, _: None) -> None:
        self._take()

    def _start(self, batch: list[Request]) -> None:
        now, replica, size = self._clock.tick, heappop(self._idle), len(batch)
        work = self._table[size]
        if self._varies:
            work *= self._work.factor(replica, batch)
        for request in batch:
            request.started = now
            request.replica = replica
            request.batch_size = size
        self._working[replica] = batch
        self._clock.at(now + round(work), SERVED + replica, self._done, batch)

    def _done(self, batch: list[Request]) -> None:
        if not batch:
            return
        now, first = self._clock.tick, batch[0]
        replica = first.replica
        self._busy[replica] += now - first.started
        del self._working[replica]
        if replica in self._closing:
            self._closing.pop(replica)(replica)
        else:
            heappush(self._idle, replica)
        for request in batch:
            request.finished = now
            self._served(request)
        if self.line:
            self._take()
