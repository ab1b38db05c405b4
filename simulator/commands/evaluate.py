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
@click.option(
    "--models",
    metavar="NAME,...",
    help="Of sasrec, gru4rec, ... and llm; with stages, sasrec+cooperative.  [default: the scenario's two]",
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

    if lists and protocol != "replay":
        raise click.UsageError("--lists: lists are shown in a replay; expected --protocol replay beside it")
    scenario = _read(data, overrides)
    if protocol == "leave-last-out":
        from scenarios.schema.data import LastSplit

        streams = scenario.data.model_copy(update={"split": LastSplit()})
        scenario = scenario.model_copy(update={"data": streams})
    names = _named(scenario, models)
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


def _named(scenario: AnyScenario, models: str | None) -> list[str]:
    """Kinds of a device's model, each with its stages, and `llm`. Raises `ScenarioError` for another."""
    from models.stages import FROM_THE_CLOUD
    from scenarios.errors import ScenarioError
    from scenarios.schema.recommenders import SrmKind

    srm = scenario.recommenders.srm
    if models is None:
        return ["+".join([srm.kind, *(stage.kind for stage in srm.stages)]), "llm"]
    known = get_args(SrmKind)
    names = list(dict.fromkeys(name.strip() for name in models.split(",")))
    for name in names:
        kind, *stages = name.split("+")
        if name != "llm" and kind not in known:
            raise ScenarioError(f"--models: there is no {kind!r}; expected some of {', '.join((*known, 'llm'))}")
        for stage in stages:
            if stage not in FROM_THE_CLOUD:
                raise ScenarioError(
                    f"--models: there is no stage {stage!r}; expected one of {', '.join(FROM_THE_CLOUD)}"
                )
    return names


def _specs(scenario: AnyScenario, name: str, seeds: int) -> list[Any]:
    """A model's settings, once for each seed of its training; a model of a folder is trained by nobody."""
    from pydantic import TypeAdapter

    from scenarios.schema.recommenders import LocalLlm, LocalT5
    from scenarios.schema.stages import Stage

    srm, llm = scenario.recommenders.srm, scenario.recommenders.llm
    if name == "llm" and isinstance(llm, LocalLlm | LocalT5):
        return [llm]
    if name == "llm":
        return [_seeded(llm, n) for n in range(seeds)]
    kind, *kinds = name.split("+")
    told = {stage.kind: stage for stage in srm.stages}
    stages = [told.get(each) or TypeAdapter(Stage).validate_python({"kind": each}) for each in kinds]
    # Settings that only one kind has are nothing to another.
    spec = srm if kind == srm.kind else srm.model_copy(update={"kind": kind, "options": {}})
    return [
        _seeded(spec, n).model_copy(update={"stages": tuple(_seeded(stage, n) for stage in stages)})
        for n in range(seeds)
    ]


def _seeded(spec: Any, n: int) -> Any:
    """The same, trained by the n-th seed from its own."""
    training = spec.training.model_copy(update={"seed": spec.training.seed + n})
    return spec.model_copy(update={"training": training})


def _table(scenario: AnyScenario, names: Sequence[str], seeds: int, lists: bool, quiet: bool) -> pd.DataFrame:
    """A row a model. Each training is kept as soon as it is done."""
    import numpy as np
    import pandas as pd

    from analysis.evaluation import accuracy, over, within
    from models.evaluation import burden, ranks
    from models.recommenders import prepare
    from models.trained import trained
    from scenarios.datasets import obtain
    from scenarios.schema.fleet import WholeCatalogue
    from scenarios.schema.recommenders import Srm
    from scenarios.split import split
    from simulator.progress import bar

    def announce(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    behaviour = obtain(scenario.data.source, Path(), scenario.seed, announce, not quiet)
    population = split(behaviour, scenario.data.split)
    users = np.repeat(population.replayed, population.steps[population.replayed])
    longest = behaviour.stream(int(behaviour.lengths.argmax()))
    recommenders = scenario.recommenders
    rows: list[dict[str, Any]] = []
    first: list[Any] = []
    for name in names:
        specs, places, shown, facts, burdens = _specs(scenario, name, seeds), [], [], [], []
        for n, spec in enumerate(specs):
            which = name if len(specs) == 1 else f"{name} ({n + 1} of {len(specs)})"
            model, fact = trained(population, spec, recommenders.llm, f"training {which}", announce, not quiet)
            burdens.append(burden(model, longest))
            with bar(f"ranking by {which}", len(users), quiet) as tell:
                places.append(ranks(model, population, tell))
            if lists and isinstance(spec, Srm):
                own = recommenders.model_copy(update={"srm": spec})
                fleet = prepare(population, own, WholeCatalogue(), scenario.fusion, (), announce, not quiet)
                with bar(f"lists shown by {which}", len(users), quiet) as tell:
                    shown.append(fleet.fresh(tell).astype(np.int64))
            facts.append(fact)
        row = {
            "model": recommenders.llm.kind if name == "llm" else name,
            "trainings": len(specs),
            "users": len(population.replayed),
            "targets": len(users),
            **accuracy(users, np.stack(places)),
        }
        if shown:
            row |= within(users, np.stack(shown))
        if not rows:
            first = [np.stack(places), np.stack(shown) if shown else None]
        elif len(specs) == len(first[0]):
            row |= over("gain", users, np.stack(places), first[0])
            if shown and first[1] is not None:
                row |= over("list_gain", users, np.stack(shown), first[1])
        rows.append(
            row
            | {
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
