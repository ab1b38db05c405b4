"""`recfleet validate`: the engine is held against queueing theory."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Also write the rows to this file."
)
@click.option("--quick", is_flag=True, help="A tenth of the requests; relative errors may be three times as large.")
@click.option("--seed", type=click.IntRange(0), default=2026, show_default=True, help="Of all draws.")
def command(file: Path | None, quick: bool, seed: int) -> int:
    """Hold the engine against queueing theory, at utilisations from 0.3 to 0.95.

    Every case is made of scenario keys and run by the engine that scenarios run on. A row gives what theory says, the
    simulated mean with an interval (95% for all rows together, so that each is wider), and the relative error. It holds
    where theory lies in the interval and the error is at most 2%, or 5% at 0.95. What is known to be chance (more
    requests came than the rate says, or longer ones) is taken off the means by control variates, and what so many draws
    come to over all runs has rows of its own. Where Ciw is installed, the same customers go through it as well, and
    each must leave both at the same time. The exit code is 1 where a row does not hold.
    """
    import json
    import os
    from contextlib import nullcontext
    from dataclasses import asdict, replace
    from importlib.util import find_spec

    from scenarios.cache import atomic
    from simulator.commands.validate.beside import side_by_side
    from simulator.commands.validate.rows import validate
    from simulator.commands.validate.show import table

    # A file that cannot be written is told of before minutes of work.
    with nullcontext() if file is None else atomic(file) as scratch:
        found = validate(seed=seed, share=0.1 if quick else 1.0, jobs=os.cpu_count() or 1, silent=False)
        if find_spec("ciw") is not None and not found.broken:
            found = replace(found, rows=[*found.rows, *side_by_side(seed)])
        click.echo(table(found))
        if find_spec("ciw") is None:
            click.echo("beside Ciw: left out, as it is not installed (pip install ciw)", err=True)
        if scratch is not None:
            scratch.write_text(json.dumps([asdict(row) for row in found.rows], indent=1) + "\n")
    return 0 if found.holds else 1
