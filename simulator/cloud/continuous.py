"""Continuous batching: a replica works in iterations, and requests join and leave between them.

In an iteration every answer in the making grows by a token, and the rest of the token budget reads prompts, first come
first; the iteration that reads the end of a prompt also writes the first token of its answer. While nobody joins, reads
or leaves, all iterations are alike, so that they are taken in one stride; somebody who arrives cuts the stride at the
end of the iteration that runs. What comes out is what a loop over single iterations gives, to the tick.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush

from simulator.clock import NEVER, SERVED
from simulator.cloud.discipline import Line
from simulator.cloud.station import Rules, Station
from simulator.request import Request


class _Engine:
    """What a replica is about."""

    __slots__ = (
        "begun",
        "end",
        "iteration",
        "joined",
        "length",
        "planned",
        "read",
        "reading",
        "replica",
        "strides",
        "writing",
    )

    def __init__(self, replica: int) -> None:
        self.replica = replica
        self.iteration = 0
        """Iterations done."""
        self.reading: deque[tuple[int, Request]] = deque()
        """Prompts by order of joining."""
        self.read = 0
        """Tokens read of the first of them."""
        self.writing: list[tuple[int, int, Request]] = []
        """Heap of (last iteration, order of joining, request)."""
        self.joined = 0
        self.begun = self.length = self.planned = 0
        """The stride: when it began, ticks of each iteration, number of them."""
        self.end = NEVER
        """When the stride ends, `NEVER` where there is none."""
        self.strides = 0
        """Ends that were set; only the latest of them counts."""

    def __len__(self) -> int:
        return len(self.reading) + len(self.writing)


class ContinuousStation(Station):
    """Each replica has `slots`, and works on at most `token_budget` tokens in an iteration."""

    def __init__(self, rules: Rules, line: Line, slots: int, token_budget: int) -> None:
        super().__init__(rules, line)
        self._slots = slots
        self._token_budget = token_budget
        self._engines: dict[int, _Engine] = {}
        """By replica, lowest first."""

    def arrive(self, request: Request) -> None:
        """Take a request in, or refuse it where more wait than there are free slots and places in the queue."""
        if len(self.line) >= self._limit:
            free = sum(self._slots - len(engine) for engine in self._engines.values() if self._takes(engine))
            if len(self.line) >= self._limit + free:
                self._refused(request)
                return
        self.line.append(request)
        self._offer()

    def restore(self, requests: list[Request]) -> None:
        """Take back those whose work was lost."""
        self.line.restore(requests)
        self._offer()

    def in_work(self) -> int:
        """Requests that are worked on."""
        return sum(map(len, self._engines.values()))

    def open(self, replica: int) -> None:
        """A replica takes work from now on."""
        self._engines[replica] = _Engine(replica)
        self._engines = dict(sorted(self._engines.items()))
        self._offer()

    def close(self, replica: int, closed: Callable[[int], None]) -> None:
        """A replica takes no more work."""
        if self._engines[replica].end == NEVER:
            del self._engines[replica]
            closed(replica)
        else:
            self._closing[replica] = closed

    def crash(self, replica: int) -> list[Request]:
        """A replica loses all that it reads and writes."""
        self._closing.pop(replica, None)
        engine = self._engines.pop(replica)
        if engine.end != NEVER:
            self._busy[replica] += self._clock.tick - engine.begun
            engine.end = NEVER
        in_work = [*engine.reading, *((order, request) for _, order, request in engine.writing)]
        return [request for _, request in sorted(in_work, key=lambda each: each[0])]

    def change_speed(self, replica: int) -> None:
        """The iteration that runs keeps its speed, the next has the new one."""
        if replica in self._engines:
            self._cut(self._engines[replica])

    def _takes(self, engine: _Engine) -> bool:
        return engine.replica not in self._closing

    def _offer(self) -> None:
        """Somebody waits: an idle replica begins at once, a busy one with free slots after its iteration."""
        for engine in self._engines.values():
            if not self.line:
                return
            if engine.end == NEVER:
                self._begin(engine)
            elif self._takes(engine) and len(engine) < self._slots:
                self._cut(engine)

    def _cut(self, engine: _Engine) -> None:
        """End the stride with the iteration that runs."""
        if engine.end == NEVER or engine.planned == 1 or not engine.length:
            return
        planned = (self._clock.tick - engine.begun) // engine.length + 1
        if planned < engine.planned:
            engine.planned = planned
            self._schedule(engine)

    def _schedule(self, engine: _Engine) -> None:
        engine.end = engine.begun + engine.planned * engine.length
        engine.strides += 1
        self._clock.at(engine.end, SERVED + engine.replica, self._ended, (engine, engine.strides))

    def _begin(self, engine: _Engine) -> bool:
        """Let requests join, and begin the next stride; False where there is nothing to do."""
        now, work = self._clock.tick, self._work
        reading, writing = engine.reading, engine.writing
        if self.line and self._takes(engine) and len(engine) < self._slots:
            for request in self._next(self._slots - len(engine)):
                engine.joined += 1
                request.started = now
                request.replica = engine.replica
                if work.prompt(request):
                    reading.append((engine.joined, request))
                else:
                    heappush(writing, (engine.iteration + work.output(request), engine.joined, request))
                request.batch_size = len(engine)
        if not reading and not writing:
            engine.end = NEVER
            return False
        tokens = len(writing)
        if reading:
            tokens = min(self._token_budget, tokens + sum(work.prompt(each) for _, each in reading) - engine.read)
        engine.begun = now
        engine.length = work.iteration(engine.replica, tokens)
        engine.planned = 1 if reading else writing[0][0] - engine.iteration
        self._schedule(engine)
        return True

    def _ended(self, what: tuple[_Engine, int]) -> None:
        engine, stride = what
        if engine.end == NEVER or stride != engine.strides:  # the replica crashed, or the stride was cut
            return
        now, replica = self._clock.tick, engine.replica
        self._busy[replica] += now - engine.begun
        engine.iteration += engine.planned
        if engine.reading:
            self._read(engine)
        writing = engine.writing
        while writing and writing[0][0] <= engine.iteration:
            request = heappop(writing)[-1]
            request.finished = now
            self._served(request)
        if not self._begin(engine) and replica in self._closing:
            del self._engines[replica]
            self._closing.pop(replica)(replica)

    def _read(self, engine: _Engine) -> None:
        """What the iteration that has just ended has read."""
        budget = self._token_budget - len(engine.writing)
        while engine.reading and budget:
            order, request = engine.reading[0]
            left = self._work.prompt(request) - engine.read
            if left > budget:
                engine.read += budget
                return
            budget -= left
            engine.read = 0
            engine.reading.popleft()
            last = engine.iteration + self._work.output(request) - 1
            heappush(engine.writing, (last, order, request))
