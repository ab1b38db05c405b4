"""One run: one policy in one world under one seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from scenarios.schema.fleet import Blocking
from simulator.accuracy import Ranks, device_table
from simulator.clock import MILLISECOND, SECOND, Clock, ticks
from simulator.device import SleepingFleet
from simulator.exchange import Exchange
from simulator.foresight import Demand, Foresight
from simulator.ledger import Ledger, balance
from simulator.live import LiveFleet
from simulator.network import Network
from simulator.outcomes import IntArray, LiveModels
from simulator.pace import Pace
from simulator.payload import Payload
from simulator.policies.base import Policy
from simulator.progress import Progress, Tell
from simulator.records import request_table
from simulator.world import World


@dataclass(frozen=True)
class Result:
    """What a run leaves: the two tables of docs/design.md, the books, and the cloud's time.

    duration_s: from the start to the last thing that happened. busy_s: work of all replicas together. ranks: live runs
    only, [interactions] the rank at every step, one device after the other.
    """

    requests: pd.DataFrame
    devices: pd.DataFrame
    ledger: Ledger
    duration_s: float
    busy_s: float
    ranks: IntArray | None = None


def run(world: World, policy: Policy, seed: int, demand: Demand, tell: Tell | None = None) -> Result:
    """Run with devices that sleep between requests, on the outcomes of `rehearse`. Raises `LedgerError`."""
    clock, exchange, deadline, progress = _stage(world, seed, tell)
    foresight = Foresight(policy, seed, demand)
    fleet = SleepingFleet(clock, world, Pace(world, seed), foresight, exchange, deadline, progress)
    clock.run()
    users = world.device_users

    def ranks(device: IntArray, cut: IntArray, start: IntArray, stop: IntArray) -> npt.NDArray[np.uint16]:
        return demand.outcomes.ranks(users[device], cut, start, stop)

    return _result(world, exchange, fleet, ranks)


def run_live(world: World, policy: Policy, seed: int, models: LiveModels, tell: Tell | None = None) -> Result:
    """Run with every device calling its models at every interaction. Raises `LedgerError`."""
    clock, exchange, deadline, progress = _stage(world, seed, tell)
    fleet = LiveFleet(clock, world, policy, seed, models, exchange, deadline, progress)
    clock.run()
    seen = fleet.ranks
    first = np.cumsum(world.lengths) - world.lengths

    def ranks(device: IntArray, cut: IntArray, start: IntArray, stop: IntArray) -> IntArray:
        begin = first[device]
        return np.concatenate([seen[b + i : b + j] for b, i, j in zip(begin, start, stop, strict=True)])

    return _result(world, exchange, fleet, ranks, seen)


def _stage(world: World, seed: int, tell: Tell | None) -> tuple[Clock, Exchange, int | None, Progress]:
    clock = Clock()
    waiting = world.fleet.waiting
    deadline = max(round(waiting.deadline_ms * MILLISECOND), 1) if isinstance(waiting, Blocking) else None
    exchange = Exchange(
        clock,
        Network(world.network, seed),
        Payload.of(world.network, world.answer_items),
        world.cloud,
        max(ticks(world.fleet.timeout_s), 1),
        seed,
    )
    return clock, exchange, deadline, Progress(int(world.lengths.sum()), tell)


def _result(
    world: World, exchange: Exchange, fleet: SleepingFleet | LiveFleet, ranks: Ranks, seen: IntArray | None = None
) -> Result:
    log = exchange.records.log()
    busy = exchange.cloud.busy
    ledger = balance(log, exchange.issued, busy, world.cloud)
    last = max([fleet.ended, *(int(log[name].max()) for name in ("sent", "finished", "answered") if len(log[name]))])
    return Result(
        requests=request_table(log, world.device_users),
        devices=device_table(world, log, fleet.waited, ranks),
        ledger=ledger,
        duration_s=last / SECOND,
        busy_s=sum(busy) / SECOND,
        ranks=seen,
    )
