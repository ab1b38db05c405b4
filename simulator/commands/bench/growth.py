"""How time and memory grow with the fleet and with the points of a sweep. A fleet of each size has a process of its
own, so that its memory is its own."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from simulator.cells import replication_seed
from simulator.commands.bench.engine import empty_store, fast, footrules
from simulator.policies import AnyScenario
from simulator.policies.base import Point
from simulator.preparation import Experiment, prepare_experiment
from simulator.rehearse import rehearse
from simulator.run import run


@dataclass(frozen=True)
class Size:
    """A fleet of clones, warm. seconds: of a run and its books. peak_rss_mb: of its process, and what that held before
    the run."""

    devices: int
    interactions: int
    requests: int
    seconds: float
    peak_rss_mb: float
    before_mb: float

    @property
    def rate(self) -> float:
        """Interactions a second."""
        return self.interactions / self.seconds


@dataclass(frozen=True)
class Sweep:
    """A sweep of so many points from an empty store: seconds, and how many times those of one point."""

    points: int
    seconds: float
    times_one: float


def fleets(experiment: Experiment, point: Point, devices: Sequence[int]) -> list[Size]:
    """A run of each size; a run of the largest, here, makes and stores the outcomes that they look at."""
    sizes = []
    _run(experiment, point, devices[-1])
    experiment.recommenders.outcomes.flush()
    for number in devices:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as own:
            sizes.append(own.submit(_alone, experiment.scenario.model_dump_json(), point, number).result())
    return sizes


def _alone(scenario: str, point: Point, devices: int) -> Size:
    return _run(prepare_experiment(AnyScenario.model_validate_json(scenario), lambda text: None, False), point, devices)


def _run(experiment: Experiment, point: Point, devices: int) -> Size:
    world, seed = experiment.world, replication_seed(experiment.scenario.seed, 0)
    world = replace(world, fleet=world.fleet.model_copy(update={"devices": devices}))
    demand = rehearse(world, [point.policy], seed, experiment.recommenders.outcomes)
    before = _peak_mb()
    began = time.perf_counter()
    requests = sum(map(len, run(world, point.policy, seed, demand).asked))
    seconds = time.perf_counter() - began
    return Size(devices, int(world.lengths.sum()), requests, seconds, _peak_mb(), before)


def bytes_a_device(sizes: Sequence[Size]) -> float:
    """What a device, with its interactions and requests, adds to the memory of a run."""
    low, high = sizes[0], sizes[-1]
    return (high.peak_rss_mb - low.peak_rss_mb) * 1e6 / (high.devices - low.devices)


def growth(sizes: Sequence[Size], since: int = 10_000) -> float:
    """Seconds an interaction of the largest fleet, as a ratio to those of the smallest from `since` devices on."""
    first = next((size for size in sizes if size.devices >= since), sizes[0])
    return first.rate / sizes[-1].rate


def sweeps(experiment: Experiment, points: Sequence[int], alone: float) -> list[Sweep]:
    """Sweeps of the footrule's quantiles, one after the other in this process; `alone` is that of a single point."""
    found: list[Sweep] = []
    for number in points:
        quantiles = [0.5 + 0.49 * i / max(number - 1, 1) for i in range(number)] if number > 1 else [alone]
        with empty_store(experiment) as fresh:
            seconds = fast(fresh, footrules(experiment, quantiles)).seconds
        found.append(Sweep(number, seconds, seconds / (found[0].seconds if found else seconds)))
    return found


def _peak_mb() -> float:
    """Of this process: where the system tells it, without what the process that started it held."""
    status = Path("/proc/self/status")
    if status.exists():
        kilobytes = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]
        return int(kilobytes) / 1e3
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)  # bytes there, kilobytes elsewhere
