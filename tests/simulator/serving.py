"""A cloud without devices or network: requests in at set times, the times that it wrote out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from scenarios.schema.cloud import Cloud as CloudSpec
from simulator.clock import ARRIVAL, MILLISECOND, Clock
from simulator.cloud import Cloud
from simulator.cloud.accounts import Accounts
from simulator.outcomes import NOTHING
from simulator.request import Owner, Request


@dataclass(frozen=True)
class Served:
    requests: list[Request]
    left: list[Request]
    """Those served or rejected, in this order."""
    accounts: Accounts

    def times(self, name: str) -> list[float]:
        """Milliseconds by request; -1 where that never came."""
        return [t / MILLISECOND if t >= 0 else -1.0 for t in (getattr(r, name) for r in self.requests)]


def request(number: int, time: int, device: int | None = None, step: int = 0) -> Request:
    made = Request(number, cast(Owner, None), number if device is None else device, step, time, time)
    made.arrived = time
    return made


def serve(
    keys: dict[str, Any],
    arrivals_ms: Sequence[float],
    devices: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
    cancels_ms: dict[int, float] | None = None,
    seed: int = 1,
) -> Served:
    """Requests arrive at these times (equal ones by number), one of each device unless told, and may be cancelled."""
    clock = Clock()
    requests, left = [], list[Request]()

    def reply(each: Request) -> None:
        if each.cut != NOTHING:
            each.ends = 1
        left.append(each)

    cloud = Cloud(clock, CloudSpec(**keys), seed, lambda each: each.step, reply)
    for i, time_ms in enumerate(arrivals_ms):
        time = round(time_ms * MILLISECOND)
        each = request(i, time, None if devices is None else devices[i], 0 if steps is None else steps[i])
        requests.append(each)
        clock.at(time, ARRIVAL + i, cloud.arrive, each)
    for i, time_ms in (cancels_ms or {}).items():
        clock.at(round(time_ms * MILLISECOND), ARRIVAL + (1 << 20), cloud.cancel, requests[i])
    clock.play(lambda: None)
    return Served(requests, left, cloud.accounts(clock.tick))
