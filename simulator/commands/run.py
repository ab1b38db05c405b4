"""`recfleet run`: the main job."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("scenario", metavar="FILE")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, e.g. cloud.replicas=4.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of results.  [default: results/<name>]")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Cells run at once, in processes.  [default: cores]")
@click.option("--backend", type=click.Choice(["processes", "ray"]), default="processes", help="Where cells are run.")
@click.option("--address", metavar="HOST:PORT", help="Of a Ray cluster; one is started on this machine where absent.")
@click.option(
    "--until-halfwidth",
    "halfwidth",
    type=click.FloatRange(0, min_open=True),
    metavar="W",
    help="Add replications until NDCG@10 is known to ±W at every point.",
)
@click.option("--live", is_flag=True, help="Every device calls its models at every interaction: slow, the oracle.")
@click.option("--quiet", is_flag=True, help="No progress bars, no announcements; the table still comes.")
def command(
    scenario: str,
    overrides: tuple[str, ...],
    out: Path | None,
    jobs: int | None,
    backend: str,
    address: str | None,
    halfwidth: float | None,
    live: bool,
    quiet: bool,
) -> int:
    """Run a scenario and draw its accuracy-versus-request-cost curve.

    FILE is a scenario's YAML file. A run that was stopped goes on where it was: finished cells, trained models and
    outcomes are kept. The exit code is 1 where some cells failed.
    """
    if jobs is not None and backend == "ray":
        raise click.UsageError("--jobs is for processes of this machine; a Ray cluster knows its own size")
    if address is not None and backend != "ray":
        raise click.UsageError("--address needs --backend ray")
    from simulator.experiment import read, run
    from simulator.spread import Cluster, Here, Processes, Spread
    from simulator.sweep import CellsFailedError

    spread: Spread | None = None
    if backend == "ray":
        spread = Cluster(address)
    elif jobs is not None:
        spread = Processes(jobs) if jobs > 1 else Here()
    try:
        result = run(read(scenario, overrides), out=out, spread=spread, live=live, quiet=quiet, halfwidth=halfwidth)
    except CellsFailedError as error:
        click.echo(f"recfleet: {error}", err=True)
        return 1
    click.echo(result.table())
    return 0
