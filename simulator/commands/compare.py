"""`recfleet compare`: finished results side by side."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folders", metavar="DIR DIR...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--out", default="compare.html", show_default=True, type=click.Path(path_type=Path), help="The page.")
@click.option("--partial", is_flag=True, help="Take what there is of runs that were stopped.")
def command(folders: tuple[Path, ...], out: Path, partial: bool) -> None:
    """Lay the results in two or more folders side by side: a table here, and one HTML page.

    Runs over the same users and seeds are compared in pairs, each with the first.
    """
    if len(folders) < 2:
        raise click.UsageError(f"expected two or more folders of results, got {len(folders)}")
    from analysis.report.compare import line_up, page, terminal
    from analysis.report.folder import read
    from scenarios.cache import atomic

    runs = line_up([read(folder, partial=partial) for folder in folders])
    text = page(runs)
    with atomic(out) as scratch:
        scratch.write_text(text, encoding="utf-8")
    click.echo(f"{terminal(runs)}\n\n{out}")
