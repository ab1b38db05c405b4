"""`recfleet report`: finished results as one page to show to others."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="  [default: DIR/report.html]")
@click.option("--partial", is_flag=True, help="Report what there is of a run that was stopped.")
def command(folder: Path, out: Path | None, partial: bool) -> None:
    """Write the results in DIR as one HTML page that needs nothing else.

    It gives the answer in three sentences, then the curves, the ranking at equal cost, what the cloud did over time,
    what age did to the lists, the ledger and the scenario.
    """
    from analysis.report.folder import read
    from analysis.report.page import page
    from scenarios.cache import atomic

    target = out or folder / "report.html"
    text = page(read(folder, partial=partial))
    with atomic(target) as scratch:
        scratch.write_text(text, encoding="utf-8")
    click.echo(target)
