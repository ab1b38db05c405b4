"""The sleeping engine held against the live one, on a sample of a scenario's devices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import click
import numpy as np

from simulator import cells
from simulator.agreement import compare
from simulator.policies import AnyScenario
from simulator.preparation import prepare_experiment

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
