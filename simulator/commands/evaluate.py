"""`recfleet evaluate`: the models by themselves, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

if TYPE_CHECKING:
    import pandas as pd

    from simulator.policies import AnyScenario

SETTINGS = "quickstart"
"""Scenario that gives the settings where data are named and no scenario."""


@click.command()
@click.argument("data", metavar="DATA")
@click.option("--models", metavar="NAME,...", help="Of sasrec, gru4rec, ... and llm.  [default: the scenario's two]")
@click.option(
    "--protocol",
    type=click.Choice(["leave-last-out", "replay"]),
    default="leave-last-out",
    show_default=True,
    help="What is predicted: each user's last item, or all that the scenario replays.",
)
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="Trainings of each model.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="E.g. recommenders.srm.width=32.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the table.  [default: results/DATA-<protocol>]")
@click.option("--quiet", is_flag=True, help="No progress bars, no announcements; the table still comes.")
def command(
    data: str,
    models: str | None,
    protocol: str,
    seeds: int,
    overrides: tuple[str, ...],
    out: Path | None,
    quiet: bool,
) -> None:
    """Rank the whole catalogue with models by themselves: accuracy, size and speed, side by side.

    DATA is a scenario's YAML file or name, which gives data and settings; or, with the settings of the quickstart, a
    data set (recfleet data list) or a folder that recfleet data import wrote. What is not trained yet is trained. A
    command that was stopped goes on where it was, and --protocol replay takes over what a run has trained.

    \b
      recfleet evaluate movielens-100k --models sasrec,gru4rec,llm --seeds 3
      recfleet evaluate quickstart --protocol replay
    """
    from analysis.evaluation import terminal
    from scenarios.cache import atomic
    from scenarios.load import dump

    scenario = _read(data, overrides)
    if protocol == "leave-last-out":
        from scenarios.schema.data import LastSplit

        streams = scenario.data.model_copy(update={"split": LastSplit()})
        scenario = scenario.model_copy(update={"data": streams})
    names = _named(scenario, models)
    folder = out or Path("results") / f"{Path(data).resolve().stem}-{protocol}"
    with atomic(folder / "scenario.yaml") as scratch:  # first, so that a folder that cannot be written stops at once
        scratch.write_text(dump(scenario))
    table = _table(scenario, names, seeds, quiet)
    with atomic(folder / "table.csv") as scratch:
        table.to_csv(scratch, index=False)
    click.echo(f"{terminal(table)}\n\n{folder / 'table.csv'}")


def _read(data: str, overrides: Sequence[str]) -> AnyScenario:
    """The scenario that is meant, or the usual settings over the data that are."""
    from scenarios.datasets import PUBLISHED
    from scenarios.load import LIBRARY
    from simulator.experiment import read

    if Path(data).is_dir():
        source = {"kind": "imported", "path": str(Path(data).resolve())}
    elif data in PUBLISHED and not (LIBRARY / f"{data}.yaml").is_file():
        source = {"kind": data}
    else:
        return read(data, overrides)
    return read(SETTINGS, [f"data.source={json.dumps(source)}", *overrides])


def _named(scenario: AnyScenario, models: str | None) -> list[str]:
    """Kinds of a device's model, and `llm`. Raises `ScenarioError` for another."""
    from scenarios.errors import ScenarioError
    from scenarios.schema.recommenders import SrmKind

    if models is None:
        return [scenario.recommenders.srm.kind, "llm"]
    known = (*get_args(SrmKind), "llm")
    names = list(dict.fromkeys(name.strip() for name in models.split(",")))
    for name in names:
        if name not in known:
            raise ScenarioError(f"--models: there is no {name!r}; expected some of {', '.join(known)}")
    return names


def _specs(scenario: AnyScenario, name: str, seeds: int) -> list[Any]:
    """A model's settings, once for each seed of its training; a model of a folder is trained by nobody."""
    from scenarios.schema.recommenders import LocalLlm, LocalT5

    srm, llm = scenario.recommenders.srm, scenario.recommenders.llm
    if name == "llm":
        spec: Any = llm
    else:
        # Settings that only one kind has are nothing to another.
        spec = srm if name == srm.kind else srm.model_copy(update={"kind": name, "options": {}})
    if name == "llm" and isinstance(llm, LocalLlm | LocalT5):
        return [spec]
    trainings = [spec.training.model_copy(update={"seed": spec.training.seed + n}) for n in range(seeds)]
    return [spec.model_copy(update={"training": training}) for training in trainings]


def _table(scenario: AnyScenario, names: Sequence[str], seeds: int, quiet: bool) -> pd.DataFrame:
    """A row a model. Each training is kept as soon as it is done."""
    import numpy as np
    import pandas as pd

    from analysis.evaluation import accuracy
    from models.evaluation import burden, ranks
    from models.trained import trained
    from scenarios.datasets import obtain
    from scenarios.split import split
    from simulator.progress import bar

    def announce(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    behaviour = obtain(scenario.data.source, Path(), scenario.seed, announce, not quiet)
    population = split(behaviour, scenario.data.split)
    users = np.repeat(population.replayed, population.steps[population.replayed])
    longest = behaviour.stream(int(behaviour.lengths.argmax()))
    rows = []
    for name in names:
        specs, places, facts, burdens = _specs(scenario, name, seeds), [], [], []
        for n, spec in enumerate(specs):
            which = name if len(specs) == 1 else f"{name} ({n + 1} of {len(specs)})"
            model, fact = trained(population, spec, scenario.recommenders.llm, f"training {which}", announce, not quiet)
            burdens.append(burden(model, longest))
            with bar(f"ranking by {which}", len(users), quiet) as tell:
                places.append(ranks(model, population, tell))
            facts.append(fact)
        rows.append(
            {
                "model": scenario.recommenders.llm.kind if name == "llm" else name,
                "trainings": len(specs),
                "users": len(population.replayed),
                "targets": len(users),
                **accuracy(users, np.stack(places)),
                "parameters": facts[0].parameters,
                "state_bytes": burdens[0].state_bytes,
                "milliseconds": np.median([each.milliseconds for each in burdens]),
                "epochs": np.mean([each.epochs for each in facts]),
                "training_s": np.mean([each.seconds for each in facts]),
            }
        )
        if nowhere := int((places[0] == 0).sum()):
            announce(f"{name}: {nowhere} of {len(users)} items were taken before, are ranked nowhere, count as missed")
    return pd.DataFrame(rows)
