"""Lines: who waits, and who is taken next.

A line has the face of a deque, which first in, first out simply is: `append` for a newcomer, `popleft` for who is taken
next, `remove` for who gives up. `restore` takes back those whose work was lost, at the place that their arrival gives
them; `oldest` is the earliest arrival of any who wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from itertools import accumulate
from typing import Protocol

from scenarios.schema.queueing import EarliestDeadline, FirstIn, LastIn, PriorityClasses, ShortestHistory
from simulator.clock import MILLISECOND
from simulator.draws import uniform
from simulator.request import Request

Spec = FirstIn | LastIn | EarliestDeadline | ShortestHistory | PriorityClasses


class Line(Protocol):
    """Requests that wait."""

    def __len__(self) -> int: ...

    def append(self, request: Request, /) -> None:
        """Join."""

    def popleft(self) -> Request:
        """Take whose turn it is."""
        ...

    def remove(self, request: Request, /) -> None:
        """Leave."""

    def restore(self, requests: list[Request]) -> None:
        """Take back those whose work was lost."""

    def oldest(self) -> int:
        """The earliest arrival of those who wait."""
        ...


class FirstInLine(deque[Request]):
    """First in, first out."""

    def restore(self, requests: list[Request]) -> None:
        """Take back those whose work was lost."""
        waiting = sorted([*requests, *self], key=lambda request: request.arrived)
        self.clear()
        self.extend(waiting)

    def oldest(self) -> int:
        """The earliest arrival of those who wait."""
        return self[0].arrived


class LastInLine(FirstInLine):
    """Last in, first out."""

    def popleft(self) -> Request:
        """Take the latest."""
        return self.pop()


class RankedLine:
    """By rank, the lowest first; of equals who came first."""

    def __init__(self, rank: Callable[[Request], int]) -> None:
        self._rank = rank
        self._waiting: set[int] = set()
        """Numbers of those who wait; the heaps also hold some who do not any more."""
        self._ranked: list[tuple[int, int, int, Request]] = []
        self._arrivals: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def append(self, request: Request) -> None:
        """Join."""
        arrived, number = request.arrived, request.number
        self._waiting.add(number)
        heappush(self._ranked, (self._rank(request), arrived, number, request))
        heappush(self._arrivals, (arrived, number))

    def popleft(self) -> Request:
        """Take whose turn it is."""
        while True:
            request = heappop(self._ranked)[-1]
            if request.number in self._waiting:
                self._waiting.remove(request.number)
                return request

    def remove(self, request: Request) -> None:
        """Leave."""
        self._waiting.remove(request.number)

    def restore(self, requests: list[Request]) -> None:
        """Take back those whose work was lost."""
        for request in requests:
            self.append(request)

    def oldest(self) -> int:
        """The earliest arrival of those who wait."""
        while self._arrivals[0][1] not in self._waiting:
            heappop(self._arrivals)
        return self._arrivals[0][0]


def device_class(seed: int, device: int, shares: Iterable[float]) -> int:
    """The class of a device, drawn by the classes' shares."""
    drawn, ends = uniform(seed, "class", device, 0), list(accumulate(shares))
    return next((i for i, end in enumerate(ends[:-1]) if drawn < end), len(ends) - 1)


def line_of(spec: Spec, seed: int, history: Callable[[Request], int]) -> Line:
    """An empty line. history: items that a request's history holds."""
    match spec:
        case FirstIn():
            return FirstInLine()
        case LastIn():
            return LastInLine()
        case ShortestHistory():
            return RankedLine(history)
        case PriorityClasses():
            shares = spec.shares
            return RankedLine(lambda request: device_class(seed, request.device, shares))
        case EarliestDeadline():
            parts = [each.share for each in spec.classes]
            within = [round(each.deadline_ms * MILLISECOND) for each in spec.classes]
            return RankedLine(lambda request: request.sent + within[device_class(seed, request.device, parts)])
