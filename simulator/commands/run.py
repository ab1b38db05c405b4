"""`recfleet run`: the main job."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("scenario", metavar="FILE")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, e.g. cloud.replicas=4.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of results.  [default: results/<name>]")
@click.option("--jobs", default=1, show_default=True, metavar="N", help="Run this many cells at once, in processes.")
@click.option("--live", is_flag=True, help="Every device calls its models at every interaction: slow, the oracle.")
@click.option("--quiet", is_flag=True, help="No progress bars, no announcements; the table still comes.")
def command(scenario: str, overrides: tuple[str, ...], out: Path | None, jobs: int, live: bool, quiet: bool) -> None:
    """Run a scenario and draw its accuracy-versus-request-cost curve.

    FILE is a scenario's YAML file. A run that was stopped goes on where it was: finished cells, trained models and
    outcomes are kept.
    """
    if jobs < 1:
        raise click.BadParameter(f"{jobs} is not a number of processes (1 or more)", param_hint="--jobs")
    from simulator.experiment import read, run

    result = run(read(scenario, overrides), out=out, jobs=jobs, live=live, quiet=quiet)
    click.echo(result.table())
