"""The cells of a sweep: run what is not finished yet, here or in processes of their own, and read what they became."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from joblib import Parallel, delayed

from analysis.curve import Digest
from simulator import cells
from simulator.finish import finish, read
from simulator.preparation import AnyScenario, Experiment, prepare_experiment
from simulator.progress import bar


def finish_all(experiment: Experiment, folder: Path, jobs: int, live: bool, quiet: bool) -> list[Digest]:
    """Run what is not finished yet, and read what every cell boiled down to."""
    wanted = experiment.cells()
    missing = [i for i, cell in enumerate(wanted) if cells.read_facts(folder / cell.folder) is None]
    interactions = int(experiment.world.lengths.sum())
    if missing and not live:
        with bar("looking ahead", interactions * len(experiment.points), quiet) as tell:
            experiment.rehearse(tell)
    with bar("simulating", interactions * len(missing), quiet) as tell:
        if jobs == 1 or len(missing) == 1:
            for i in missing:
                finish(experiment, i, live, folder, tell)
        else:
            scenario = experiment.scenario.model_dump_json()
            tasks = (delayed(_finish_apart)(scenario, i, live, folder) for i in missing)
            for _ in Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks):
                if tell is not None:
                    tell(interactions)
    return [read(folder / cell.folder) for cell in wanted]


def _finish_apart(scenario: str, cell: int, live: bool, folder: Path) -> None:
    """Run one cell in a process of its own, which opens the experiment once for all cells it is given."""
    finish(_opened(scenario), cell, live, folder, None)


@lru_cache(maxsize=1)
def _opened(scenario: str) -> Experiment:
    return prepare_experiment(AnyScenario.model_validate_json(scenario), lambda text: None, False)
