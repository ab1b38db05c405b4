"""`recfleet evaluate`: the models by themselves, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd

    from simulator.policies import AnyScenario

SETTINGS = "quickstart"
"""Scenario that gives the settings where data are named and no scenario."""


@click.command()
@click.argument("data", metavar="DATA")
@click.option(
    "--models",
    metavar="NAME,...",
    help="Of sasrec, gru4rec, ..., duet, solid, llm; with what is done to it, sasrec+cooperative; MergeNet comes "
    "with its controls.  [default: the scenario's]",
)
@click.option(
    "--lists", is_flag=True, help="With --protocol replay: also how good what devices show of fresh lists is."
)
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
    lists: bool,
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
      recfleet evaluate quickstart --protocol replay --models sasrec,sasrec+cooperative --seeds 3 --lists
    """
    from analysis.evaluation import terminal
    from scenarios.cache import atomic
    from scenarios.load import dump
    from simulator.commands.contest import named

    if lists and protocol != "replay":
        raise click.UsageError("--lists: lists are shown in a replay; expected --protocol replay beside it")
    scenario = _read(data, overrides)
    if protocol == "leave-last-out":
        from scenarios.schema.data import LastSplit

        streams = scenario.data.model_copy(update={"split": LastSplit()})
        scenario = scenario.model_copy(update={"data": streams})
    names = named(scenario, models)
    folder = out or Path("results") / f"{Path(data).resolve().stem}-{protocol}"
    with atomic(folder / "scenario.yaml") as scratch:  # first, so that a folder that cannot be written stops at once
        scratch.write_text(dump(scenario))
    table = _table(scenario, names, seeds, lists, quiet)
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


def _table(scenario: AnyScenario, names: Sequence[str], seeds: int, lists: bool, quiet: bool) -> pd.DataFrame:
    """A row a model. Each training is kept as soon as it is done."""
    import numpy as np
    import pandas as pd

    from analysis.evaluation import accuracy, over, within
    from scenarios.datasets import obtain
    from scenarios.split import split
    from simulator.commands.contest import contestants, score

    def announce(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    population = split(obtain(scenario.data.source, Path(), scenario.seed, announce, not quiet), scenario.data.split)
    users = np.repeat(population.replayed, population.steps[population.replayed])
    fusion = scenario.fusion if lists else None
    rows: list[dict[str, Any]] = []
    first: list[Any] = []
    for name in names:
        trainings = contestants(scenario, name, seeds)
        scores = []
        for n, one in enumerate(trainings):
            label = name if len(trainings) == 1 else f"{name} ({n + 1} of {len(trainings)})"
            scores.append(score(one, population, fusion, label, announce, quiet))
        places = np.stack([each.places for each in scores])
        lists_of = [each.shown for each in scores if each.shown is not None]
        shown = np.stack(lists_of) if lists_of else None
        llm = scenario.recommenders.llm
        row = {
            "model": llm.kind if name == "llm" and llm is not None else name,
            "trainings": len(scores),
            "users": len(population.replayed),
            "targets": len(users),
            **accuracy(users, places),
        }
        if shown is not None:
            row |= within(users, shown)
        if not rows:
            first = [places, shown]
        elif len(scores) == len(first[0]):
            row |= over("gain", users, places, first[0])
            if shown is not None and first[1] is not None:
                row |= over("list_gain", users, shown, first[1])
        rows.append(
            row
            | {
                "parameters": scores[0].facts.parameters,
                "state_bytes": scores[0].burden.state_bytes,
                "milliseconds": np.median([each.burden.milliseconds for each in scores]),
                "epochs": np.mean([each.facts.epochs for each in scores]),
                "training_s": np.mean([each.facts.seconds for each in scores]),
            }
        )
        if nowhere := int((places[0] == 0).sum()):
            announce(f"{name}: {nowhere} of {len(users)} items were taken before, are ranked nowhere, count as missed")
    return pd.DataFrame(rows)
