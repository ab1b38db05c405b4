"""`recfleet bench`: how fast, beside what, and what bounds it."""

from __future__ import annotations

from pathlib import Path

import click

SWEEP = "sweep={replications: 1, policies: [{kind: footrule, quantile: 0.9}]}"


@click.command()
@click.argument("scenario", metavar="FILE", default="quickstart")
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Also write it to this file.")
@click.option(
    "--read", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Show this file; measure nothing."
)
@click.option(
    "--plot", "picture", type=click.Path(path_type=Path, dir_okay=False), help="Also draw how time grows (png)."
)
@click.option("--quick", is_flag=True, help="Small and once only: whether it runs, not how fast.")
def command(scenario: str, file: Path | None, read: Path | None, picture: Path | None, quick: bool) -> int:
    """Measure how fast the scenario of FILE runs (the quickstart where absent), in one go and on the same data.

    Live mode is timed on a sample of devices. Cold starts with trained models and no outcomes; warm finds them stored.
    The policy is the footrule's, at about a tenth of interactions, whatever the scenario's own are.
    """
    import json

    from scenarios.cache import atomic
    from simulator.commands.bench.measure import QUICK, Sizes, measure
    from simulator.commands.bench.show import table
    from simulator.experiment import read as of_file

    if read is None:
        found = measure(
            of_file(scenario, [SWEEP]), QUICK if quick else Sizes(), lambda text: click.echo(text, err=True)
        )
    else:
        found = json.loads(read.read_text())
    click.echo(table(found))
    if file is not None:
        with atomic(file) as scratch:
            scratch.write_text(json.dumps(found, indent=1) + "\n")
    if picture is not None:
        from analysis import growth

        with atomic(picture) as scratch:
            growth.save(found, scratch)
    return 0
