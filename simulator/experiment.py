"""The composition root: a scenario becomes data, models, engine runs, and a curve."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from analysis.curve import Digest, curve, digest, to_csv
from analysis.plot import draw
from analysis.table import terminal
from models.recommenders import Recommenders, prepare
from scenarios.cache import atomic
from scenarios.datasets import Unreachable, obtain
from scenarios.load import dump, load
from scenarios.population import Population
from scenarios.schema import Scenario
from scenarios.schema.data import Published, Synthetic
from scenarios.split import split
from simulator import cells
from simulator.agreement import compare
from simulator.cells import Cell
from simulator.foresight import Demand
from simulator.policies import AnyPolicy
from simulator.policies.base import Point
from simulator.progress import Tell
from simulator.rehearse import rehearse
from simulator.run import run as run_fast
from simulator.run import run_live
from simulator.world import World

AnyScenario = Scenario[AnyPolicy]


def read(path: str | Path, overrides: Sequence[str] = ()) -> AnyScenario:
    """Read a scenario file. Raises `ScenarioError`."""
    return load(Path(path), AnyScenario, overrides)


@dataclass(frozen=True)
class Experiment:
    """A scenario with its data and models at hand: all that its cells share."""

    scenario: AnyScenario
    population: Population
    recommenders: Recommenders
    world: World
    points: list[Point]
    demand: list[Demand] = field(default_factory=list)

    def rehearse(self, tell: Tell | None = None) -> Demand:
        """Have the outcomes made that the sweep will look at; once."""
        if not self.demand:
            policies = [point.policy for point in self.points]
            outcomes = self.recommenders.outcomes
            self.demand.append(rehearse(self.world, policies, self.scenario.seed, outcomes, tell))
            outcomes.flush()
        return self.demand[0]

    def cells(self) -> list[Cell]:
        """Every cell of the sweep, in the order of the scenario."""
        scenario = self.scenario
        shared = {
            "world": scenario.model_dump(mode="json", include={"data", "fleet", "network", "cloud"}),
            "outcomes": self.recommenders.key,
        }
        return cells.grid(self.points, scenario.sweep.replications, scenario.seed, shared)


@dataclass(frozen=True)
class Result:
    """What a run leaves: a folder, and its curve as a table."""

    folder: Path
    curve: pd.DataFrame
    summary: dict[str, Any] = field(repr=False)

    def table(self) -> str:
        """The curve as text for a terminal."""
        return f"{terminal(self.curve)}\n\n{self.folder / 'curve.png'}"


def prepare_experiment(scenario: AnyScenario, announce: Callable[[str], None], progress: bool) -> Experiment:
    """Fetch or open the data, train or open the models. Raises `DataError` and `ModelError`.

    A published data set that cannot be reached is replaced by the synthetic population, with a line that says so.
    """
    try:
        behaviour = obtain(scenario.data.source, Path(), scenario.seed, announce, progress)
    except Unreachable as error:
        announce(f"{error}; going on with the synthetic population")
        size = scenario.data.source.users if isinstance(scenario.data.source, Published) else None
        source = Synthetic() if size is None else Synthetic(users=size)
        scenario = scenario.model_copy(update={"data": scenario.data.model_copy(update={"source": source})})
        behaviour = obtain(source, Path(), scenario.seed, announce, progress)
    population = split(behaviour, scenario.data.split)
    signals = sorted({name for family in scenario.sweep.policies for name in family.signals})
    recommenders = prepare(
        population, scenario.recommenders, scenario.fleet.catalogue, scenario.fusion, signals, announce, progress
    )
    users = population.replayed
    world = World(
        pace=scenario.data.pace,
        fleet=scenario.fleet,
        network=scenario.network,
        cloud=scenario.cloud,
        users=users,
        steps=population.steps[users],
        first=(behaviour.offsets[:-1] + population.replay_from)[users],
        stamps=behaviour.times,
        answer_items=recommenders.outcomes.answer_items,
        histories=population.replay_from[users],
    )
    points = [point for family in scenario.sweep.policies for point in family.points(recommenders.reference)]
    return Experiment(scenario, population, recommenders, world, points)


def run(
    scenario: AnyScenario, *, out: Path | None = None, jobs: int = 1, live: bool = False, quiet: bool = True
) -> Result:
    """Run a scenario to its curve; what an earlier run of it finished is taken over.

    out: folder of results, `results/<name>` where absent. jobs: cells run at once. live: every device calls its models
    at every interaction. Raises the `UserError`s of reading, fetching, training and writing.
    """
    folder = out or Path("results") / (f"{scenario.name}-live" if live else scenario.name)
    watch = Stopwatch()

    def announce(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    with atomic(folder / "scenario.yaml") as scratch:  # first, so that a folder that cannot be written stops at once
        scratch.write_text(dump(scenario))
    with watch("data and models"):
        experiment = prepare_experiment(scenario, announce, not quiet)
    _plan(experiment, folder)
    with watch("cells"):
        digests = _all_cells(experiment, folder / "cells", jobs, live, quiet)
    with watch("curve"):
        result = _conclude(experiment, folder, digests)
    with atomic(folder / "timings.json") as scratch:
        scratch.write_text(json.dumps(watch.seconds, indent=1) + "\n")
    return result


SAMPLE = 12
"""Devices that are compared."""


def check_live(scenario: AnyScenario, say: Callable[[str], None] = click.echo) -> bool:
    """Compare the sleeping engine with the live one on a sample of a scenario's devices, policy by policy.

    Says a line a point, and whether all hold. Scores are compared in float64; float32 may part at near ties only.
    """
    in_double = scenario.recommenders.model_copy(update={"precision": "float64"})
    in_single = scenario.recommenders.model_copy(update={"precision": "float32"})
    exact = prepare_experiment(scenario.model_copy(update={"recommenders": in_double}), click.echo, True)
    rounded = prepare_experiment(scenario.model_copy(update={"recommenders": in_single}), click.echo, True)
    users = len(exact.world.users)
    sample = np.unique(np.linspace(0, users - 1, min(SAMPLE, users)).astype(np.int64))
    fleet = scenario.fleet.model_copy(update={"devices": len(sample)})
    of_sample = {name: getattr(exact.world, name)[sample] for name in ("users", "steps", "first")}
    world = replace(exact.world, fleet=fleet, **of_sample)
    seed = cells.replication_seed(scenario.seed, 0)
    holds = True
    for point in exact.points:
        found = compare(
            world,
            point.policy,
            seed,
            exact.recommenders.outcomes,
            exact.recommenders.live(),
            rounded.recommenders.outcomes,
        )
        holds &= found.holds
        parameter = "" if point.parameter is None else f" {point.parameter:.4g}"
        say(f"{point.name}{parameter}: {found}")
    say(f"fast and live agree on {len(sample)} devices" if holds else "fast and live DISAGREE")
    return holds


def _plan(experiment: Experiment, folder: Path) -> None:
    """Write down the scenario as it is run and the cells of its grid, so that a report can tell when one is missing."""
    text = dump(experiment.scenario)
    grid = {"cells": [cell.folder for cell in experiment.cells()], "scenario": sha256(text.encode()).hexdigest()}
    with atomic(folder / "scenario.yaml") as scratch:
        scratch.write_text(text)
    with atomic(folder / "grid.json") as scratch:
        scratch.write_text(json.dumps(grid, indent=1) + "\n")


def _all_cells(experiment: Experiment, folder: Path, jobs: int, live: bool, quiet: bool) -> list[Digest]:
    """Run what is not finished yet, and read what every cell boiled down to."""
    wanted = experiment.cells()
    missing = [i for i, cell in enumerate(wanted) if cells.read_facts(folder / cell.folder) is None]
    interactions = int(experiment.world.lengths.sum())
    if missing and not live:
        with _bar("looking ahead", interactions * len(experiment.points), quiet) as tell:
            experiment.rehearse(tell)
    with _bar("simulating", interactions * len(missing), quiet) as tell:
        if jobs == 1 or len(missing) == 1:
            for i in missing:
                _finish(experiment, i, live, folder, tell)
        else:
            scenario = experiment.scenario.model_dump_json()
            tasks = (delayed(_finish_apart)(scenario, i, live, folder) for i in missing)
            for _ in Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks):
                if tell is not None:
                    tell(interactions)
    return [_read(folder / cell.folder) for cell in wanted]


def _finish_apart(scenario: str, cell: int, live: bool, folder: Path) -> None:
    """Run one cell in a process of its own, which opens the experiment once for all cells it is given."""
    _finish(_opened(scenario), cell, live, folder, None)


@lru_cache(maxsize=1)
def _opened(scenario: str) -> Experiment:
    return prepare_experiment(AnyScenario.model_validate_json(scenario), lambda text: None, False)


def _finish(experiment: Experiment, number: int, live: bool, folder: Path, tell: Tell | None) -> None:
    """Run one cell and write it."""
    cell = experiment.cells()[number]
    world, policy = experiment.world, cell.point.policy
    if live:
        result = run_live(world, policy, cell.seed, experiment.recommenders.live(), tell)
    else:
        result = run_fast(world, policy, cell.seed, experiment.rehearse(), tell)
    facts = {
        "policy": cell.point.name,
        "parameter": cell.point.parameter,
        "replication": cell.replication,
        "seed": cell.seed,
        "duration_s": result.duration_s,
        "replicas": result.provisioned_s / result.duration_s
        if result.duration_s
        else experiment.scenario.cloud.replicas,
        "busy_s": result.busy_s,
        "provisioned_s": result.provisioned_s,
        "usd": result.usd,
        "ledger": asdict(result.ledger),
    }
    boiled = digest(result.requests, result.devices, facts)
    tables = {"requests": result.requests, "devices": result.devices, "users": boiled.users}
    cells.write(folder / cell.folder, tables, {**facts, "summary": boiled.summary})
    experiment.recommenders.outcomes.flush()


def _read(folder: Path) -> Digest:
    facts = cells.read_facts(folder)
    assert facts is not None
    return Digest(facts["summary"], cells.read_table(folder, "users"))


def _conclude(experiment: Experiment, folder: Path, digests: Sequence[Digest]) -> Result:
    """Write the curve, its picture and the summary."""
    scenario, behaviour = experiment.scenario, experiment.population.behaviour
    points = curve(digests)
    summary = {
        "name": scenario.name,
        "question": scenario.question,
        "recfleet": version("recfleet"),
        "data": {
            "name": behaviour.name,
            "digest": behaviour.digest,
            "users": behaviour.n_users,
            "items": behaviour.n_items,
            "interactions": len(behaviour.items),
            "devices": experiment.world.devices,
            "replayed_interactions": int(experiment.world.lengths.sum()),
        },
        "recommenders": experiment.recommenders.facts,
        "points": json.loads(points.to_json(orient="records", double_precision=10)),
    }
    with atomic(folder / "curve.csv") as scratch:
        scratch.write_text(to_csv(points))
    with atomic(folder / "curve.png") as scratch:
        draw(points, scratch, title=scenario.question or scenario.name, kind="png")
    with atomic(folder / "summary.json") as scratch:
        scratch.write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
    return Result(folder, points, summary)


@contextmanager
def _bar(label: str, total: int, quiet: bool) -> Iterator[Tell | None]:
    """A progress bar over interactions."""
    if quiet or not total:
        yield None
        return
    with tqdm(total=total, desc=label, unit=" interactions", unit_scale=True, leave=False) as bar:

        def tell(interactions: int) -> None:
            bar.update(interactions)

        yield tell


class Stopwatch:
    """Wall-clock seconds by phase; kept apart from the results, which do not depend on them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Time what is done under it."""
        begun = time.perf_counter()
        yield
        self.seconds[phase] = round(time.perf_counter() - begun, 3)
