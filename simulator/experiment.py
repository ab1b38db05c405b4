"""The main job, as a library: `read` a scenario, `run` it to its curve."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from scenarios.cache import atomic
from scenarios.load import dump, load
from simulator import results
from simulator.cells import alone
from simulator.policies import AnyScenario
from simulator.preparation import prepare_experiment
from simulator.results import Result
from simulator.spread import Spread
from simulator.sweep import finish_all


def read(path: str | Path, overrides: Sequence[str] = ()) -> AnyScenario:
    """Read a scenario file. Raises `ScenarioError`."""
    return load(Path(path), AnyScenario, overrides)


def run(
    scenario: AnyScenario,
    *,
    out: Path | None = None,
    spread: Spread | None = None,
    live: bool = False,
    quiet: bool = True,
    halfwidth: float | None = None,
) -> Result:
    """Run a scenario to its curve; what an earlier run of it finished is taken over.

    out: folder of results, `results/<name>` where absent. spread: where cells are run (`simulator.spread`), as many
    processes as pay where absent. live: every device calls its models at every interaction. halfwidth: replications are
    added until half of every point's 95% interval of NDCG@10 is at most this, unless the choice of users alone leaves
    more, or there are `MOST_REPLICATIONS` (a line says so). Raises the `UserError`s of reading, fetching, training and
    writing, and `CellsFailedError` once all cells were tried.
    """
    folder = out or Path("results") / (f"{scenario.name}-live" if live else scenario.name)
    watch = Stopwatch()

    def announce(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    with atomic(folder / "scenario.yaml") as scratch:  # first, so that a folder that cannot be written stops at once
        scratch.write_text(dump(scenario))
    with alone(folder):
        with watch("data and models"):
            experiment = prepare_experiment(scenario, announce, not quiet)
        while True:
            results.plan(experiment, folder)
            with watch("cells"):
                digests = finish_all(experiment, folder / "cells", spread, live, quiet)
            with watch("curve"):
                result = results.conclude(experiment, folder, digests)
            more = None if halfwidth is None else results.further(digests, halfwidth, announce)
            if more is None:
                break
            announce(f"{more} replications, to narrow the intervals")
            experiment = experiment.replicated(more)
        with atomic(folder / "timings.json") as scratch:
            scratch.write_text(json.dumps(watch.seconds, indent=1) + "\n")
    return result


class Stopwatch:
    """Wall-clock seconds by phase; kept apart from the results, which do not depend on them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Time what is done under it."""
        begun = time.perf_counter()
        yield
        self.seconds[phase] = round(self.seconds.get(phase, 0.0) + time.perf_counter() - begun, 3)
