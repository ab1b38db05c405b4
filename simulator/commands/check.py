"""`recfleet check`: a scenario is read and held against the schema, and its fast numbers against the live ones."""

from __future__ import annotations

import click


@click.command()
@click.argument("scenario", metavar="FILE")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, e.g. cloud.replicas=4.")
@click.option("--live", is_flag=True, help="Also run a sample of its devices live, and compare with the fast engine.")
def command(scenario: str, overrides: tuple[str, ...], live: bool) -> int:
    """Check a scenario without running it: keys, types, values, and that what it refers to is there.

    Every mistake is a line of file, line number, key, value and what was expected; the exit code is then 2. With
    --live the exit code is 1 where the fast and the live engine disagree.
    """
    from scenarios.load import find, load
    from simulator.policies import AnyScenario

    read = load(scenario, AnyScenario, overrides)
    kinds = ", ".join(family.kind for family in read.sweep.policies)
    click.echo(f"{find(scenario)}: is a sound scenario")
    click.echo(f"  {read.question or read.name}")
    cloud = " and ".join(each.kind for each in (read.recommenders.llm, read.recommenders.generator) if each is not None)
    click.echo(f"  data {read.data.source.kind}; device {read.recommenders.srm.kind}; cloud {cloud}")
    click.echo(f"  policies {kinds}; {read.sweep.replications} replications")
    if not live:
        return 0
    from simulator.checking import check_live

    return 0 if check_live(read) else 1
