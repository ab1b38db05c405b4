"""One run: one policy in one world under one seed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from simulator.accuracy import device_table
from simulator.ages import Ages
from simulator.clock import SECOND
from simulator.cloud.shares import shares
from simulator.conduct import conduct
from simulator.cycle import fleet_of
from simulator.energy import Transfers, radio_joules
from simulator.fleet import SleepingFleet
from simulator.foresight import Demand, Foresight
from simulator.ledger import Ledger, balance
from simulator.live import LiveFleet
from simulator.network import access_classes
from simulator.outcomes import IntArray, LiveModels
from simulator.policies.base import Policy
from simulator.progress import Tell
from simulator.records import Requests
from simulator.series import Audience, Windows, series
from simulator.shown import Ranks, shown
from simulator.stage import Stage
from simulator.world import World


@dataclass(frozen=True)
class Result:
    """What a run leaves: the tables of docs/design.md, the books, and the cloud's time.

    asked: the request table, a stretch at a time. duration_s: from the start to the last thing that happened. busy_s:
    work of all replicas together. provisioned_s: time for which there were replicas, all together. usd: the bill.
    shifts, detours, slow: what befell replicas and the stays of requests at replicas that crashed or went
    (`simulator.cloud.accounts`), in ticks. ranks: live runs only, [interactions] the rank at every step, one device
    after the other.
    """

    asked: Requests
    devices: pd.DataFrame
    series: pd.DataFrame
    ages: pd.DataFrame
    ledger: Ledger
    duration_s: float
    busy_s: float
    provisioned_s: float
    usd: float
    shifts: dict[str, IntArray]
    detours: dict[str, IntArray]
    slow: dict[str, IntArray]
    ranks: IntArray | None = None

    @cached_property
    def requests(self) -> pd.DataFrame:
        """The request table in one, which needs memory for all of it."""
        return pd.concat(self.asked, ignore_index=True)


def run(world: World, policy: Policy, seed: int, demand: Demand, tell: Tell | None = None) -> Result:
    """Run with devices that sleep between requests, on the outcomes of `rehearse`.

    Raises `LedgerError` and `StalledError`.
    """
    stage = Stage.of(world, seed, tell)
    fleet = fleet_of(stage, Foresight(policy, seed, demand, stage.pushes))
    with nothing_collected():
        stage.play(fleet.end)
    users = world.device_users

    def of_users(device: IntArray, cut: IntArray, start: IntArray, stop: IntArray) -> npt.NDArray[np.uint16]:
        return demand.outcomes.ranks(users[device], cut, start, stop)

    ranks: Ranks = of_users
    if stage.pushes is not None:
        ranks = stage.pushes.ranks(demand.outcomes.ranks, fleet.lived, fleet.waits)
    return _result(world, stage, fleet, ranks)


@contextmanager
def nothing_collected() -> Iterator[None]:
    """Have Python not look for circles of garbage: every pass would touch all devices and all that they wait for, and
    a run of sleeping devices leaves no circles but one a device that keeps a diary."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def run_live(world: World, policy: Policy, seed: int, models: LiveModels, tell: Tell | None = None) -> Result:
    """Run with every device calling its models at every interaction. Raises `LedgerError` and `StalledError`."""
    stage = Stage.of(world, seed, tell)
    fleet = LiveFleet(stage, policy, seed, models)
    stage.play()
    seen, lived = fleet.ranks, fleet.lived
    first = np.cumsum(lived) - lived

    def ranks(device: IntArray, cut: IntArray, start: IntArray, stop: IntArray) -> IntArray:
        begin = first[device]
        return np.concatenate([seen[b + i : b + j] for b, i, j in zip(begin, start, stop, strict=True)])

    return _result(world, stage, fleet, ranks, seen)


def _result(
    world: World, stage: Stage, fleet: SleepingFleet | LiveFleet, ranks: Ranks, seen: IntArray | None = None
) -> Result:
    exchange = stage.exchange
    log = exchange.records.log(world.devices)
    last = max(fleet.ended, log.last)
    accounts = exchange.cloud.accounts(last)
    ledger = balance(log, exchange.issued, accounts, world.cloud)
    lived = fleet.lived
    conduct(log, world.fleet, lived, stage.departures)
    windows = Windows.over(last)
    audience = Audience(windows, stage.pace, lived, fleet.waits)
    ages = Ages()
    pieces = ages.watch(audience.watch(shown(world, log, lived, ranks)))
    devices = device_table(world, log, lived, fleet.waited, fleet.held_back, pieces)
    transfers: Iterator[tuple[int, int, Transfers]] = log.by_device()
    if stage.pushes is not None:
        devices["push_bytes"] = stage.pushes.bytes(last)
        transfers = stage.pushes.transfers(log, last)
    devices["radio_j"] = radio_joules(transfers, access_classes(world.network), stage.network.classes)
    devices["compute_j"] = stage.pace.joules(lived)
    devices["access"], devices["region"] = stage.network.classes, stage.network.regions
    return Result(
        asked=Requests(log, world.device_users, shares(log, accounts, world.cloud)),
        devices=devices,
        series=series(windows, log, accounts, world.cloud, audience),
        ages=ages.table(),
        ledger=ledger,
        duration_s=last / SECOND,
        busy_s=sum(accounts.busy) / SECOND,
        provisioned_s=accounts.provisioned / SECOND,
        usd=accounts.usd,
        shifts=accounts.shifts,
        detours=accounts.detours,
        slow=accounts.slow,
        ranks=seen,
    )
