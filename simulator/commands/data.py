"""`recfleet data`: the behaviour data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from scenarios.behaviour import Behaviour


@click.group()
def command() -> None:
    """List, fetch, describe and import behaviour data."""


@command.command("list")
def list_() -> None:
    """List the data sets that a scenario can name, and which are here already."""
    from scenarios.datasets import PUBLISHED, folder

    click.echo(f"{'':16}{'users':>8}{'items':>8}{'interactions':>14}")
    for name, each in PUBLISHED.items():
        here = "fetched" if folder(name).is_dir() else "not fetched yet"
        click.echo(f"{name:16}{each.users:>8,}{each.items:>8,}{each.interactions:>14,}  {here}; {each.text}")
    click.echo(f"{'synthetic':16}{'any number':>16}{'':14}  generated from the scenario")
    click.echo(f"{'imported':16}{'your own':>16}{'':14}  see recfleet data import --help")


@command.command()
@click.argument("name")
@click.option("--quiet", is_flag=True, help="No progress bars.")
def get(name: str, quiet: bool) -> None:
    """Fetch the published data set NAME, unless it is here already."""
    from scenarios.datasets import folder

    _published(name, quiet)
    click.echo(folder(name))


@command.command()
@click.argument("data", metavar="NAME-OR-FOLDER")
def describe(data: str) -> None:
    """Describe a published data set (fetched if need be) or the folder that an import wrote."""
    from scenarios.behaviour import load
    from scenarios.datasets import PUBLISHED

    _print(_published(data, quiet=False) if data in PUBLISHED or not Path(data).exists() else load(Path(data)))


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Folder to write.")
@click.option("--user", default="user_id", show_default=True, metavar="COL", help="Column of the user.")
@click.option("--item", default="item_id", show_default=True, metavar="COL", help="Column of the item.")
@click.option("--time", default="timestamp", show_default=True, metavar="COL", help="Column of the time stamp.")
@click.option(
    "--time-unit", type=click.Choice(["s", "ms"]), default="s", show_default=True, help="Of numeric time stamps."
)
@click.option("--items", type=click.Path(path_type=Path), metavar="FILE", help="Table of titles and categories.")
@click.option("--k-core", type=click.IntRange(min=1), metavar="K", help="Keep users and items with K interactions.")
def import_(
    file: Path,
    out: Path,
    user: str,
    item: str,
    time: str,
    time_unit: Literal["s", "ms"],
    items: Path | None,
    k_core: int | None,
) -> None:
    """Import your own interactions: a row each, as CSV, Parquet or RecBole's .inter, with named columns.

    Time stamps are seconds since 1970 (or milliseconds) or ISO 8601 dates, and need not be in order. A row that cannot
    be used stops the import, and the message names its line.
    """
    from scenarios.behaviour import save
    from scenarios.datasets.interactions import Columns, read

    behaviour = read(file, Columns(user, item, time, time_unit), items, k_core, _announce)
    save(behaviour, out)
    _print(behaviour)
    click.echo(f"\nwritten to {out}; in a scenario:  data: {{source: {{kind: imported, path: {out.absolute()}}}}}")


def _published(name: str, quiet: bool) -> Behaviour:
    from difflib import get_close_matches

    from scenarios.datasets import PUBLISHED, get
    from scenarios.errors import DataError

    if name not in PUBLISHED:
        near = get_close_matches(name, PUBLISHED, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise DataError(f"{name}: no data set of this name and no folder, expected one of {', '.join(PUBLISHED)}{hint}")
    return get(name, _announce, progress=not quiet)


def _print(behaviour: Behaviour) -> None:
    from scenarios.describe import describe

    for label, text in describe(behaviour):
        click.echo(f"{label:14}{text}")


def _announce(line: str) -> None:
    click.echo(line, err=True)
