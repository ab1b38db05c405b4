"""`recfleet stress`: raise the load until the cloud breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from simulator.policies import AnyScenario
    from simulator.preparation import Experiment
    from simulator.stress import Cliff

MOST = 1_000_000
"""Times the devices of a scenario; with more, no computer holds the fleet."""


@click.command()
@click.argument("scenario", metavar="FILE")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, e.g. cloud.replicas=4.")
@click.option(
    "--vary",
    "variations",
    multiple=True,
    metavar="KEY=V,V,...",
    help="A further axis of the grid, e.g. cloud.replicas=1,2,4 or network.loss=0,0.05.",
)
@click.option("--loads", default="0.25,0.5,1,2,4", show_default=True, help="Times the devices of the scenario.")
@click.option("--tolerance", default=0.05, show_default=True, help="How narrow a cliff is found, as a share of it.")
@click.option("--hysteresis", is_flag=True, help="Also run the load up and down around each cliff.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of results.  [default: results/<name>-stress]")
@click.option("--jobs", default=1, show_default=True, metavar="N", help="Look for this many cliffs at once.")
@click.option("--quiet", is_flag=True, help="No progress bars, no announcements; the table still comes.")
def command(
    scenario: str,
    overrides: tuple[str, ...],
    variations: tuple[str, ...],
    loads: str,
    tolerance: float,
    hysteresis: bool,
    out: Path | None,
    jobs: int,
    quiet: bool,
) -> None:
    """Raise the load until the cloud breaks, for every point of the sweep, and draw the map.

    The cliff of a point is the load, times the scenario's devices, at which p95 latency or failures leave the
    scenario's `objective`. Each run is labelled stable, backlogged or overloaded from what it showed.
    """
    if jobs < 1:
        raise click.BadParameter(f"{jobs} is not a number of processes (1 or more)", param_hint="--jobs")
    if not 0 < tolerance <= 1:
        raise click.BadParameter(f"{tolerance} lies outside 0 .. 1", param_hint="--tolerance")
    try:
        grid = sorted({float(load) for load in loads.split(",")})
    except ValueError:
        grid = []
    if not grid or not all(0 < load <= MOST for load in grid):
        raise click.BadParameter(
            f"{loads}: expected numbers above 0 and up to {MOST:,}, such as 0.5,1,2", param_hint="--loads"
        )
    from analysis.cliffs import draw_map, terminal
    from scenarios.cache import atomic
    from simulator.experiment import read
    from simulator.preparation import prepare_experiment
    from simulator.spread import Processes
    from simulator.stress import DEFAULT, Stress, objective_of, stress
    from simulator.trial import settings, variant

    def announce(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    base = read(scenario, overrides)
    objective = objective_of(base)
    if objective is DEFAULT:
        announce(
            f"the scenario has no objective; held against p95_latency_s {DEFAULT.p95_latency_s:g}, "
            f"failed_share {DEFAULT.failed_share:g}"
        )
    variants = [(" ".join(each), variant(scenario, overrides, each, base)) for each in settings(variations)]
    folder = out or Path("results") / f"{base.name}-stress"
    experiment = prepare_experiment(base, announce, not quiet)
    found = Stress([], [])
    for probes, cliff in stress(experiment, variants, grid, tolerance, Processes(jobs) if jobs > 1 else None, quiet):
        found.probes.extend(probes)
        found.cliffs.append(cliff)
        # After each, so that what was found before Ctrl-C is there to read.
        for name, table in zip(("probes", "cliffs"), found.tables(), strict=True):
            with atomic(folder / f"{name}.csv") as scratch:
                table.to_csv(scratch, index=False, float_format="%.10g")
    settings_in_order = [name for name, _ in variants]
    points_in_order = [(point.name, point.parameter) for point in experiment.points]
    found.cliffs.sort(
        key=lambda each: (
            settings_in_order.index(each.setting),
            points_in_order.index((each.policy, each.parameter)),
        )
    )
    probes_table, cliffs_table = found.tables()
    with atomic(folder / "map.png") as scratch:
        draw_map(probes_table, cliffs_table, scratch, base.question or base.name)
    click.echo(terminal(cliffs_table, experiment.world.devices))
    click.echo(f"\n{folder / 'map.png'}")
    if hysteresis:
        _up_and_down(experiment, dict(variants), found.cliffs, folder)


def _up_and_down(
    experiment: Experiment, variants: Mapping[str, AnyScenario], cliffs: Sequence[Cliff], folder: Path
) -> None:
    """Run the load up and down around each cliff that was found, and say which do not come back as they came."""
    import pandas as pd

    from analysis.cliffs import draw_stairs
    from scenarios.cache import atomic
    from simulator.hysteresis import STAIRS, climb

    points = {(point.name, point.parameter): point for point in experiment.points}
    stairs = [
        climb(experiment, variants[each.setting], each.setting, points[each.policy, each.parameter], each.load)
        for each in cliffs
        if each.held and each.load < float("inf")
    ]
    if not stairs:
        click.echo("hysteresis: no cliff was found to go up and down around")
        return
    table = pd.concat([each.table() for each in stairs], ignore_index=True)
    with atomic(folder / "hysteresis.csv") as scratch:
        table.to_csv(scratch, index=False, float_format="%.10g")
    with atomic(folder / "hysteresis.png") as scratch:
        draw_stairs(table, scratch)
    for each in stairs:
        name = each.policy if each.parameter is None else f"{each.policy} {each.parameter:.4g}"
        said = f"fails up to {100 * each.gap:.0f} points more on the way down" if each.gap else "none seen"
        if each.gap:
            said += f", and {'still does' if each.excess(0) else 'no more'} at {STAIRS[0]:g} times the cliff"
        click.echo(f"hysteresis, {' '.join(filter(None, (each.setting, name)))}: {said}")
    click.echo(f"{folder / 'hysteresis.png'}")
