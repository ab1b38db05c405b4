"""`recfleet trace`: what happened in one cell, to look at in Perfetto."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from analysis.report.folder import Cell


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--cell", "name", help="Folder in DIR/cells, or how its name begins.  [default: the first with requests]")
@click.option("--devices", type=click.IntRange(0), default=20, show_default=True, help="Devices to follow.")
@click.option("--out", type=click.Path(path_type=Path), help="  [default: DIR/trace.json.gz]")
def command(folder: Path, name: str | None, devices: int, out: Path | None) -> None:
    """Write what happened in one cell of DIR as a trace, to open at https://ui.perfetto.dev or chrome://tracing.

    It shows what each replica was about and what it worked on, a sample of devices with their requests, arrows from
    these to the batches that served them, and the queue over time. A file named *.gz is compressed.
    """
    import gzip
    import json

    from analysis.report.folder import read
    from analysis.trace import Tables, events
    from scenarios.cache import atomic

    results = read(folder, partial=True)
    cell = _chosen(results.cells, name, folder)
    tables = {each: cell.table(each) for each in ("requests", "detours", "shifts", "series")}
    continuous = results.scenario["cloud"]["batching"]["kind"] == "continuous"
    found = events(Tables(**tables, continuous=continuous), devices)
    rows = ",\n".join(json.dumps(event, allow_nan=False, separators=(",", ":")) for event in found)
    text = f'{{"traceEvents":[\n{rows}\n]}}\n'.encode()
    target = out or folder / "trace.json.gz"
    with atomic(target) as scratch:
        scratch.write_bytes(gzip.compress(text, compresslevel=6, mtime=0) if target.suffix == ".gz" else text)
    click.echo(f"{target}: {len(found):,} events of {cell.folder.name}")


def _chosen(cells: Sequence[Cell], name: str | None, folder: Path) -> Cell:
    """The cell of this name, or the only one whose name begins so; without a name, the first that made requests."""
    from scenarios.errors import UserError

    if name is None:
        return next((cell for cell in cells if cell.digest.summary["attempts"]), cells[0])
    names = [cell.folder.name for cell in cells]
    fitting = [name] if name in names else [each for each in names if each.startswith(name)]
    if len(fitting) == 1:
        return cells[names.index(fitting[0])]
    found = f"{len(fitting)} of its cells begin so" if fitting else "none of its cells begins so"
    raise UserError(f"{folder}: --cell {name!r}: {found}, expected one of {', '.join(fitting or names)}")
