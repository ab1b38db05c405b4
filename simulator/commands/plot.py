"""`recfleet plot`: finished results drawn again, as a curve or over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    import pandas as pd

    from analysis.over_time import Run, Span
    from analysis.report.folder import Results

# Named here as well as in analysis.plot, so that --help need not load matplotlib; a test holds them equal.
COSTS = ("requests", "uplink", "downlink", "gpu", "dollars", "latency")
ACCURACIES = ("ndcg_at_10", "hr_at_10", "mrr")
FORMATS = ("png", "svg", "pdf")


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--x", type=click.Choice(COSTS), default="requests", show_default=True, help="What it costs.")
@click.option("--y", type=click.Choice(ACCURACIES), default="ndcg_at_10", show_default=True, help="What it brings.")
@click.option("--over-time", is_flag=True, help="Load, queue, latency, staleness, accuracy over time instead.")
@click.option("--format", "kind", type=click.Choice(FORMATS), help="  [default: as --out ends, else png]")
@click.option("--out", type=click.Path(path_type=Path), help="  [default: in the first DIR, named by what is drawn]")
@click.pass_context
def command(
    context: click.Context,
    folders: tuple[Path, ...],
    x: str,
    y: str,
    over_time: bool,
    kind: str | None,
    out: Path | None,
) -> None:
    """Draw the curve of the results in DIR again, with other axes or in another format.

    latency is the 95th percentile of the answers; dollars and gpu are per 1,000 interactions. Several folders are drawn
    into one picture: a line each, by the policy that all have and that is best on the first. Over time, every point of
    the sweep is a line, and outages, crashes, brown-outs and surges of the scenario are shaded.
    """
    from scenarios.cache import atomic
    from scenarios.errors import UserError

    ending = kind or (out.suffix.lstrip(".").lower() if out and out.suffix else "png")
    if ending not in FORMATS:
        raise UserError(f"{out}: pictures end in {', '.join(FORMATS)}, not {ending!r}; or name one with --format")
    if over_time:
        if any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in ("x", "y")):
            raise click.UsageError("--x and --y are of the curve; over time, all is drawn")
        name = "-".join(["over-time", *(folder.name for folder in folders[1:])])
    else:
        axes = [] if (x, y) == ("requests", "ndcg_at_10") else [x, y]
        name = "-".join(["curve", *axes, *(folder.name for folder in folders[1:])])
    target = out or folders[0] / f"{name}.{ending}"
    with atomic(target) as scratch:
        if over_time:
            _over_time(folders, scratch, ending)
        else:
            _curves(folders, scratch, x, y, ending)
    click.echo(target)


def _curves(folders: Sequence[Path], target: Path, x: str, y: str, kind: str) -> None:
    from analysis.beside import beside
    from analysis.plot import draw

    read = [_curve(folder) for folder in folders]
    title, curve = read[0]
    if len(read) > 1:
        named = {folder.resolve().name: table for folder, (_, table) in zip(folders, read, strict=True)}
        if len(named) < len(folders):
            raise click.UsageError("two folders have the same name, which is what their lines are called by")
        rule, curve = beside(named, y)
        title = f"What do {len(folders)} runs get for how many requests where their devices ask by the rule {rule}?"
    draw(curve, target, title=title, x=x, y=y, kind=kind)  # type: ignore[arg-type]  # one of FORMATS


def _curve(folder: Path) -> tuple[str, pd.DataFrame]:
    """The question that a run answers, and its curve."""
    import yaml

    from analysis.curve import read_csv
    from scenarios.errors import UserError

    source = folder / "curve.csv"
    if not source.is_file():
        raise UserError(f"{folder}: holds no curve.csv; expected a folder of results that `recfleet run` wrote")
    try:
        scenario = yaml.safe_load((folder / "scenario.yaml").read_text(encoding="utf-8"))
        return str(scenario.get("question") or scenario["name"]), read_csv(source)
    except (OSError, ValueError, AttributeError, KeyError, yaml.YAMLError) as error:
        raise UserError(
            f"{folder / 'scenario.yaml'}: cannot be read as a scenario, so the curve has no title"
        ) from error


def _over_time(folders: Sequence[Path], target: Path, kind: str) -> None:
    from analysis.over_time import draw
    from analysis.report.folder import read

    found = [read(folder) for folder in folders]
    runs = [run for results in found for run in _runs(results, len(found) > 1)]
    spans = dict.fromkeys(span for results in found for span in troubles(results.scenario))
    asked = {results.objective_ms for results in found}
    limit_ms = asked.pop() if len(asked) == 1 else None
    draw(
        _few(runs),
        target,
        title=found[0].question,
        spans=list(spans),
        objective_s=None if limit_ms is None else limit_ms / 1000,
        kind=kind,  # type: ignore[arg-type]  # as above
    )


def _runs(results: Results, named: bool) -> list[tuple[str, Run]]:
    """(policy in its folder, line) for each point of a sweep; named: with its folder's name, for that is not alone."""
    from analysis.over_time import COLUMNS, Run
    from analysis.report import wording

    series: dict[Any, list[Any]] = {}
    for cell in results.cells:
        series.setdefault(cell.digest.point, []).append(cell.table("series", COLUMNS))
    folder = results.folder.resolve().name
    runs = []
    for (policy, parameter), tables in series.items():
        label = wording.point(policy, parameter)
        if named:
            label = f"{folder}: {label}" if len(series) > 1 else folder
        runs.append((f"{folder}/{policy}", Run(label, tables)))
    return runs


def _few(runs: Sequence[tuple[str, Run]]) -> list[Run]:
    """No more lines than can be told apart: of each policy the middle point, where all are too many."""
    from analysis.over_time import MOST
    from scenarios.errors import UserError

    if len(runs) <= MOST:
        return [run for _, run in runs]
    policies: dict[str, list[Run]] = {}
    for policy, run in runs:
        policies.setdefault(policy, []).append(run)
    if len(policies) > MOST:
        raise UserError(
            f"{len(policies)} policies cannot be told apart in one picture, expected {MOST} at most: name fewer folders"
        )
    click.echo(
        f"{len(runs)} points cannot be told apart in one picture; of each policy the middle one is drawn", err=True
    )
    return [points[len(points) // 2] for points in policies.values()]


def troubles(scenario: Mapping[str, Any]) -> list[Span]:
    """When something is amiss by the schedule of a scenario (plain data): what is drawn at random is not known of."""
    from analysis.over_time import Span

    pace = scenario.get("data", {}).get("pace", {})
    network, cloud = scenario.get("network", {}), scenario.get("cloud", {})
    listed = [(f"surge \u00d7 {each['factor']:g}", each) for each in pace.get("surges", [])]
    listed += [(f"outage{_of('region', each)}", each) for each in network.get("outages", [])]
    listed += [(f"crash{_of('replica', each)}", each) for each in cloud.get("crashes", [])]
    listed += [
        (f"slower \u00d7 {each['slowdown']:g}{_of('replica', each)}", each) for each in cloud.get("brownouts", [])
    ]
    return [Span(label, float(each["from_s"]), float(each["until_s"])) for label, each in listed if "from_s" in each]


def _of(what: str, each: Mapping[str, Any]) -> str:
    number = each.get(what)
    return "" if number is None else f" of {what} {number}"
