"""Live, cold and warm: the same scenario, the same policy, the same streams."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from scenarios.cache import home
from simulator.cells import replication_seed
from simulator.cycle import fleet_of
from simulator.foresight import Demand, Foresight
from simulator.policies.base import Point
from simulator.policies.footrule import FootruleFamily
from simulator.preparation import Experiment
from simulator.rehearse import rehearse
from simulator.run import nothing_collected, run, run_live
from simulator.stage import Stage

_numbers = count()
SAMPLED, HALVINGS = 500, 7
"""Devices on which the policy's quantile is sought, and how often its range is halved."""


@dataclass(frozen=True)
class Timing:
    """A run: its seconds, and how much it did in them."""

    seconds: float
    interactions: int
    requests: int

    @property
    def rate(self) -> float:
        """Interactions a second."""
        return self.interactions / self.seconds


def footrules(experiment: Experiment, quantiles: Sequence[float]) -> list[Point]:
    """Points of the footrule policy."""
    return FootruleFamily(quantile=tuple(quantiles)).points(experiment.recommenders.reference)


def asking(experiment: Experiment, share: float) -> tuple[Point, float]:
    """The footrule's point at which about this share of the interactions asks, and its quantile on the validation part.

    Found by halving, on the first users; streams are longer than what is validated on, so that no quantile says it.
    """
    world = experiment.world
    fleet = world.fleet.model_copy(update={"devices": min(world.devices, SAMPLED)})
    smaller = again(replace(experiment, world=replace(world, fleet=fleet)))
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        quantile = (low + high) / 2
        (point,) = footrules(experiment, [quantile])
        found = fast(smaller, [point])
        low, high = (quantile, high) if found.requests > share * found.interactions else (low, quantile)
    return point, quantile


@contextmanager
def empty_store(experiment: Experiment) -> Iterator[Experiment]:
    """The experiment with a store of outcomes of its own, where nothing is yet; it is removed in the end."""
    key = f"bench-{os.getpid()}-{next(_numbers)}"
    try:
        yield again(replace(experiment, recommenders=replace(experiment.recommenders, key=key)))
    finally:
        shutil.rmtree(home() / "outcomes" / key, ignore_errors=True)


def again(experiment: Experiment) -> Experiment:
    """The experiment as a new process would meet it: nothing opened, nothing looked at."""
    return replace(experiment, recommenders=replace(experiment.recommenders), demand=[])


def live(experiment: Experiment, point: Point, interactions: int) -> tuple[Timing, int]:
    """Live mode on users spread evenly over all, as many as live through so many interactions; and how many."""
    world = experiment.world
    users = min(max(round(interactions / world.stream_lengths.mean()), 1), len(world.users))
    sample = np.unique(np.linspace(0, len(world.users) - 1, users).astype(np.int64))
    fleet = world.fleet.model_copy(update={"devices": len(sample)})
    parts = {name: getattr(world, name)[sample] for name in ("users", "steps", "first")}
    histories = None if world.histories is None else world.histories[sample]
    smaller = replace(world, fleet=fleet, histories=histories, **parts)
    models = experiment.recommenders.live()
    began = time.perf_counter()
    result = run_live(smaller, point.policy, _seed(experiment), models)
    seconds = time.perf_counter() - began
    return Timing(seconds, int(smaller.lengths.sum()), sum(map(len, result.asked))), len(sample)


def fast(experiment: Experiment, points: Sequence[Point]) -> Timing:
    """Fast mode, from opening the store of outcomes to writing what was added to it: a run of each point."""
    seed, world = _seed(experiment), experiment.world
    began = time.perf_counter()
    outcomes = experiment.recommenders.outcomes
    demand = rehearse(world, [point.policy for point in points], seed, outcomes)
    requests = sum(sum(map(len, run(world, point.policy, seed, demand).asked)) for point in points)
    outcomes.flush()
    return Timing(time.perf_counter() - began, int(world.lengths.sum()) * len(points), requests)


def events(experiment: Experiment, point: Point) -> tuple[int, float]:
    """Moments that a run sets, and the seconds that the engine alone takes for them."""
    seed, world = _seed(experiment), experiment.world
    demand: Demand = rehearse(world, [point.policy], seed, experiment.recommenders.outcomes)
    stage = Stage.of(world, seed, None)
    fleet = fleet_of(stage, Foresight(point.policy, seed, demand))
    with nothing_collected():
        began = time.perf_counter()
        stage.play(fleet.end)
        return stage.clock.moments, time.perf_counter() - began


def bytes_an_outcome(experiment: Experiment) -> float:
    """On disk, of all columns together."""
    folder = home() / "outcomes" / experiment.recommenders.key
    columns = {path.stem: path.stat().st_size for path in folder.glob("*.bin")}
    ranks = sum(size for name, size in columns.items() if name.startswith("ranks"))
    return sum(columns.values()) / (ranks / np.dtype(np.uint16).itemsize)


def _seed(experiment: Experiment) -> int:
    return replication_seed(experiment.scenario.seed, 0)
