"""`recfleet calibrate`: how long this machine takes to make candidate lists, as a table of service times."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from models.calibration import Timing
    from models.llms.base import Llm

UNSTEADY = 0.25
"""Where the quartiles of repetitions lie further apart than this part of the median, the machine was not quiet."""


def _numbers(context: click.Context, option: click.Parameter, text: str) -> tuple[int, ...]:
    """Whole numbers above 0, each once and in order, of a text such as 1,8,32."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise click.BadParameter(f"{text!r}: expected whole numbers above 0, such as 1,8,32")
    return tuple(sorted({int(part) for part in parts}))


@click.command()
@click.argument("model", metavar="MODEL")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File.  [default: MODEL-times.yaml]")
@click.option(
    "--batch-sizes",
    metavar="N,...",
    callback=_numbers,
    default="1,2,4,8,16,32",
    show_default=True,
    help="Lists made at once.",
)
@click.option(
    "--histories", metavar="N,...", callback=_numbers, default="10,25,50", show_default=True, help="Items of each."
)
@click.option("--quiet", is_flag=True, help="No progress bar, no announcements.")
def command(
    model: str,
    out: Path | None,
    batch_sizes: tuple[int, ...],
    histories: tuple[int, ...],
    quiet: bool,
) -> None:
    """Measure how long this machine takes to make candidate lists, and write that as a table of service times.

    MODEL is a scenario (its recommenders.llm; weights that are not trained yet take no other time, so nothing is
    trained), the folder of a causal language model, or a published model (recfleet models list), where every token
    counts as an item. Medians over repetitions, after a warm-up; the table holds those of the longest histories, its
    head holds them all. Run it on a machine that does nothing else.

    \b
      recfleet calibrate quickstart --out mine.yaml
      recfleet calibrate smollm2-135m --batch-sizes 1,4 --histories 20
    """
    from models.calibration import timings
    from scenarios.cache import atomic
    from scenarios.errors import UserError
    from scenarios.service_times.table import FOLDER
    from simulator.progress import bar

    if 1 not in batch_sizes:
        raise UserError("--batch-sizes: expected 1 among them, as a table must give the time of one request alone")
    path = out or Path(f"{Path(model).resolve().stem}-times.yaml")
    if path.suffix != ".yaml":
        raise UserError(f"--out: {path}: expected a name that ends in .yaml, as tables of service times do")
    given = _given(model, lambda text: None if quiet else click.echo(text, err=True))
    with bar("calibrating", len(batch_sizes) * len(histories), quiet, "times") as tell:
        found = timings(given.llm, given.precision, batch_sizes, histories, given.list_length, tell)
    text = written(given, model, found)
    with atomic(path) as scratch:
        scratch.write_text(text, encoding="utf-8")
    worst = max(found, key=lambda each: found[each].spread)
    if found[worst].spread > UNSTEADY:
        click.echo(
            f"batches of {worst[0]} over {worst[1]} items varied by {found[worst].spread:.0%} between quartiles: "
            "does the machine do something else?",
            err=True,
        )
    inline = ", ".join(f"{batch}: {ms:.4g}" for batch, ms in _of_longest(found).items())
    click.echo(
        f"{text}\n{path}\nIn a scenario:  cloud: {{service: {{milliseconds: {{{inline}}}}}}}\n"
        f"or, with the file in {FOLDER}:  cloud: {{service: {{table: {path.stem}}}}}"
    )


@dataclass(frozen=True)
class Given:
    """The model to be measured, not in training, and what is said of it."""

    llm: Llm
    what: str
    list_length: int
    precision: str


def _given(model: str, announce: Callable[[str], None]) -> Given:
    """What MODEL means. Raises `UserError`s."""
    from models.published import PUBLISHED, get

    if Path(model).is_dir():
        return _of_folder(Path(model), f"the folder {Path(model).resolve().name}")
    if model in PUBLISHED:
        return _of_folder(get(model, announce), model)
    return _of_scenario(model, announce)


def _of_folder(folder: Path, what: str) -> Given:
    """A causal language model, each of its tokens an item."""
    import json

    from models.llms import local_causal
    from models.weights import refuse_foreign
    from scenarios.errors import ModelError
    from scenarios.schema.recommenders import LocalLlm

    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tokens = int(config["vocab_size"])
        longest = int(config.get("max_position_embeddings", 100))
    except FileNotFoundError as error:
        raise ModelError(f"{folder}: holds no config.json, so it is no model's folder") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{folder}/config.json: no configuration of a causal language model ({error})") from error
    refuse_foreign(folder)
    try:
        llm = local_causal.load(tokens, LocalLlm(path=folder, window=max(4, min(longest, 1024))))
    except ModelError as error:
        raise ModelError(str(error).removeprefix("recommenders.llm.path: ")) from error
    return Given(llm, f"{what}, {_sizes(llm)}", 50, "float32")


def _of_scenario(name: str, announce: Callable[[str], None]) -> Given:
    """The cloud's model of a scenario: as it was trained, or as it is before that."""
    from models import trained
    from scenarios.datasets import obtain
    from scenarios.errors import ScenarioError
    from scenarios.split import split
    from simulator.experiment import read

    scenario = read(name)
    spec = scenario.recommenders.llm
    if spec is None:
        raise ScenarioError(f"{name}: recommenders.llm: the scenario has none, so there is nothing to measure")
    behaviour = obtain(scenario.data.source, Path(), scenario.seed, announce, False)
    llm = trained.sized(split(behaviour, scenario.data.split), spec, announce)
    what = f"recommenders.llm of the scenario {scenario.name}, kind {spec.kind}, {_sizes(llm)}"
    return Given(llm, what, scenario.recommenders.list_length, scenario.recommenders.precision)


def _sizes(llm: Any) -> str:
    from models.weights import size_of

    return f"{size_of(llm)['parameters']:,} parameters, {llm.n_items:,} items"


def _of_longest(found: Mapping[tuple[int, int], Timing]) -> dict[int, float]:
    """[batch size] milliseconds with the longest histories, to four digits."""
    longest = max(length for _, length in found)
    return {batch: float(f"{each.milliseconds:.4g}") for (batch, length), each in found.items() if length == longest}


def written(given: Given, model: str, found: Mapping[tuple[int, int], Timing]) -> str:
    """The table as a YAML file of `scenarios/service_times/`, all that was measured in its head."""
    import datetime

    import yaml

    from models.calibration import engine, machine
    from scenarios.service_times import Table

    lengths = sorted({length for _, length in found})
    table = Table(
        engine=f"{engine()}, {given.precision}",
        accelerator=machine(),
        model=given.what,
        source=f"measured: recfleet calibrate {model}",
        date=datetime.date.today().isoformat(),
        derivation=(
            f"medians of repetitions after a warm-up; lists of {given.list_length} for histories of {lengths[-1]} "
            "items, each of whose contexts is read anew, with nothing kept from earlier requests"
        ),
        by="batch",
        milliseconds=_of_longest(found),
    )
    return "\n".join(
        [
            f"# Milliseconds on {table.accelerator}, {given.precision}, {table.date}:",
            *_grid(found, lengths),
            yaml.safe_dump(table.model_dump(), sort_keys=False, allow_unicode=True, width=110, default_flow_style=None),
        ]
    )


def _grid(found: Mapping[tuple[int, int], Timing], lengths: Sequence[int]) -> list[str]:
    lines = ["# batch" + "".join(f"{f'{length} items':>12}" for length in lengths)]
    for batch in sorted({batch for batch, _ in found}):
        cells = (f"{found[batch, length].milliseconds:>12.4g}" for length in lengths)
        lines.append(f"# {batch:>5}" + "".join(cells))
    return lines
