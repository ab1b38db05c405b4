"""One point of a sweep tried under another load, cloud or network: what stress and plan are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.summary import REQUEST_COLUMNS, Summary, summarise
from scenarios.errors import ScenarioError
from simulator.cells import replication_seed
from simulator.experiment import read
from simulator.finish import facts
from simulator.policies import AnyScenario
from simulator.policies.base import Point
from simulator.preparation import Experiment
from simulator.run import Result, run
from simulator.world import World

Setting = tuple[str, ...]
"""Overrides (`cloud.replicas=2`) that make one world out of a scenario."""

FREE = ("cloud", "network", "fleet", "data.pace")
"""Keys that may be varied: those that leave models and outcomes as they are."""


def settings(variations: Sequence[str]) -> list[Setting]:
    """Every combination of `KEY=VALUE,VALUE`, in the order given. Raises `ScenarioError`."""
    axes = []
    for text in variations:
        key, equals, values = text.partition("=")
        if not equals or not all(values.split(",")):
            raise ScenarioError(f"--vary {text}: expected KEY=VALUE,VALUE, such as cloud.replicas=1,2,4")
        if not any(key == free or key.startswith(f"{free}.") for free in FREE):
            raise ScenarioError(f"--vary {text}: {key} cannot be varied, expected a key of {', '.join(FREE)}")
        axes.append([f"{key}={value}" for value in values.split(",")])
    return list(product(*axes))


def variant(file: str | Path, overrides: Sequence[str], setting: Setting, base: AnyScenario) -> AnyScenario:
    """The scenario in this setting. Raises `ScenarioError`, also where its outcomes would be others."""
    scenario = read(file, (*overrides, *setting))
    for key in ("catalogue", "adaptation", "pushes"):
        if getattr(scenario.fleet, key) != getattr(base.fleet, key):
            raise ScenarioError(f"--vary {' '.join(setting)}: fleet.{key} decides what devices show; run it by itself")
    most, wanted = base.fleet.interactions, scenario.fleet.interactions
    if most is not None and (wanted is None or wanted > most):
        raise ScenarioError(
            f"--vary {' '.join(setting)}: expected no more than the scenario's own fleet.interactions, {most}, as all "
            "settings share what is rehearsed for it"
        )
    return scenario


def world_of(experiment: Experiment, scenario: AnyScenario, load: float = 1.0) -> World:
    """The experiment's streams in this scenario's world, with `load` times as many devices."""
    world = replace(
        experiment.world, pace=scenario.data.pace, fleet=scenario.fleet, network=scenario.network, cloud=scenario.cloud
    )
    fleet = scenario.fleet.model_copy(update={"devices": max(round(world.devices * load), 1)})
    return replace(world, fleet=fleet)


def attempt(experiment: Experiment, world: World, point: Point, seed: int) -> tuple[Summary, Result]:
    """Run the point in this world under this seed."""
    result = run(world, point.policy, seed, experiment.rehearse())
    told = {**facts(point, 0, seed, result, world.cloud), "warm_up_s": experiment.scenario.sweep.warm_up_s}
    return summarise(result.asked.of(REQUEST_COLUMNS), result.devices, told), result


def attempts(
    experiment: Experiment, world: World, point: Point, replications: Iterable[int], seed: int | None = None
) -> pd.DataFrame:
    """A row a replication, as `tabled` gives it.

    seed: of the scenario where absent; replications of another one share nothing with it.
    """
    base = experiment.scenario.seed if seed is None else seed
    return tabled([attempt(experiment, world, point, replication_seed(base, r))[0] for r in replications])


def tabled(summaries: Sequence[Summary]) -> pd.DataFrame:
    """A row a summary, with `failed_share` and `latency_p95_s` besides."""
    table = pd.DataFrame(summaries)
    failed = table["rejected"] + table["timed_out"] + table["lost"]
    table["failed_share"] = np.where(table["attempts"] > 0, failed / table["attempts"].clip(lower=1), 0.0)
    table["latency_p95_s"] = table["latency_p95_ms"].astype(float) / 1000
    return table
