"""Which replica's queue a request joins, where each has its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simulator.draws import uniform
from simulator.request import Request

Router = Callable[[Request, Sequence[int]], int]
"""(request, replicas that may take it, at least one, lowest first) -> one of them."""


def router_of(kind: str, seed: int, present: Callable[[int], int]) -> Router:
    """A router. present: requests that wait for a replica or are worked on by it."""
    match kind:
        case "round-robin":
            return RoundRobin()
        case "least-loaded":
            return lambda request, replicas: min(replicas, key=present)
        case "power-of-two":
            return PowerOfTwo(seed, present)
    raise AssertionError(kind)


class RoundRobin:
    """By turns."""

    def __init__(self) -> None:
        self._last = -1

    def __call__(self, request: Request, replicas: Sequence[int]) -> int:
        """The next after the one that was last chosen."""
        self._last = next((replica for replica in replicas if replica > self._last), replicas[0])
        return self._last


class PowerOfTwo:
    """The less loaded of two drawn at random (Mitzenmacher, IEEE TPDS 12(10), 2001)."""

    def __init__(self, seed: int, present: Callable[[int], int]) -> None:
        self._seed = seed
        self._present = present

    def __call__(self, request: Request, replicas: Sequence[int]) -> int:
        """The first drawn where both are loaded alike. The draws belong to the request, not to its place in line."""
        first = int(uniform(self._seed, "first choice", request.device, request.index) * len(replicas))
        if len(replicas) == 1:
            return replicas[0]
        second = int(uniform(self._seed, "second choice", request.device, request.index) * (len(replicas) - 1))
        second += second >= first
        one, other = replicas[first], replicas[second]
        return other if self._present(other) < self._present(one) else one
