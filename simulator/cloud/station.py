"""A station: one queue, and the replicas that take from it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.clock import Clock
from simulator.cloud.discipline import Line
from simulator.cloud.work import Work
from simulator.request import Request


@dataclass(frozen=True)
class Rules:
    """What all stations of a cloud share.

    limit: who may wait. patience: ticks of waiting after which a request whose turn comes is turned away; None: never.
    served, refused: told of every request that leaves. busy: ticks that each replica has worked.
    """

    clock: Clock
    work: Work
    limit: float
    patience: int | None
    served: Callable[[Request], None]
    refused: Callable[[Request], None]
    busy: list[int]


class Station(ABC):
    """A queue and its replicas; replicas come and go by `open`, `close` and `crash`."""

    def __init__(self, rules: Rules, line: Line) -> None:
        self.line = line
        self._clock = rules.clock
        self._work = rules.work
        self._limit = rules.limit
        self._patience = math.inf if rules.patience is None else rules.patience
        self._served = rules.served
        self._refused = rules.refused
        self._busy = rules.busy
        self._closing: dict[int, Callable[[int], None]] = {}

    @abstractmethod
    def arrive(self, request: Request) -> None:
        """Take a request in, or refuse it."""

    @abstractmethod
    def restore(self, requests: list[Request]) -> None:
        """Take back those whose work was lost; the limit does not hold for them."""

    @abstractmethod
    def in_work(self) -> int:
        """Requests that are worked on."""

    @abstractmethod
    def open(self, replica: int) -> None:
        """A replica takes work from now on."""

    @abstractmethod
    def close(self, replica: int, closed: Callable[[int], None]) -> None:
        """A replica takes no more work; `closed` is told of it as soon as it has done what it has."""

    @abstractmethod
    def crash(self, replica: int) -> Sequence[Request]:
        """A replica loses what it works on and takes no more; returns that, as it was taken."""

    @abstractmethod
    def change_speed(self, replica: int) -> None:
        """A replica has become slower or faster for what it begins from now on."""

    def cancel(self, request: Request) -> bool:
        """Forget a request that waits, and say whether it did."""
        try:
            self.line.remove(request)
        except (ValueError, KeyError):
            return False
        return True

    def present(self) -> int:
        """Requests that wait or are worked on."""
        return len(self.line) + self.in_work()

    def _next(self, most: int) -> list[Request]:
        """Up to so many of those whose turn it is; who has waited too long is refused."""
        taken: list[Request] = []
        line, latest = self.line, self._clock.tick - self._patience
        while len(taken) < most and line:
            request = line.popleft()
            if request.arrived < latest:
                self._refused(request)
            else:
                taken.append(request)
        return taken
