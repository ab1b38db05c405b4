"""`recfleet plan`: the cheapest cloud and threshold that keep an objective."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("scenario", metavar="FILE")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, e.g. network.loss=0.02.")
@click.option("--ndcg", type=float, help="NDCG@10 at least.  [default: the scenario's objective, as of all of these]")
@click.option("--p95", type=float, metavar="SECONDS", help="95th percentile of latency at most.")
@click.option("--failed", type=float, metavar="SHARE", help="Requests that fail at most.")
@click.option("--usd", type=float, metavar="DOLLARS", help="Cost of 1,000 interactions at most.")
@click.option("--most", default=32, show_default=True, metavar="N", help="Replicas that may be had.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of results.  [default: results/<name>-plan]")
@click.option("--quiet", is_flag=True, help="No progress, no announcements; the plan still comes.")
def command(
    scenario: str,
    overrides: tuple[str, ...],
    ndcg: float | None,
    p95: float | None,
    failed: float | None,
    usd: float | None,
    most: int,
    out: Path | None,
    quiet: bool,
) -> int:
    """Find the cheapest number of replicas, and the point of the sweep, that keep an objective.

    A queueing formula narrows the search; simulation decides, and confirms the plan on 20 fresh replications. The exit
    code is 1 where nothing keeps the objective. What was tried is in candidates.csv.
    """
    if most < 1:
        raise click.BadParameter(f"{most} is not a number of replicas (1 or more)", param_hint="--most")
    from scenarios.cache import atomic
    from simulator.experiment import read
    from simulator.plan import plan
    from simulator.preparation import prepare_experiment

    asked = {"ndcg_at_10": ndcg, "p95_latency_s": p95, "failed_share": failed, "usd_per_1000_interactions": usd}
    given = [f"objective.{name}={value}" for name, value in asked.items() if value is not None]

    def announce(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    base = read(scenario, (*overrides, *given))
    folder = out or Path("results") / f"{base.name}-plan"
    found = plan(prepare_experiment(base, announce, not quiet), most, announce)
    with atomic(folder / "candidates.csv") as scratch:
        found.rows.to_csv(scratch, index=False, float_format="%.10g")
    bounds = ", ".join(f"{name} {value:g}" for name, value in found.objective.model_dump().items() if value is not None)
    if found.chosen is None:
        click.echo(
            f"no plan: nothing up to {most} replicas keeps {bounds}; what was tried: {folder / 'candidates.csv'}"
        )
        return 1
    chosen, point = found.chosen, found.chosen.point
    parameter = "" if point.parameter is None else f" {point.parameter:.6g}"
    click.echo(f"plan: policy {point.name}{parameter}, {chosen.replicas} replica{'s' * (chosen.replicas > 1)}")
    click.echo(f"keeps {bounds}")
    measured = chosen.measured
    worst = measured["latency_p95_s"].max()
    click.echo(
        f"in {len(measured)} of {len(measured)} fresh replications: NDCG@10 {measured['ndcg_at_10'].min():.4f} at "
        f"least, p95 {worst:.3g} s at most, {measured['failed_share'].max():.2%} failed at most, "
        f"${measured['usd_per_1000_interactions'].max():.4g} per 1,000 interactions at most"
    )
    click.echo(f"{folder / 'candidates.csv'}")
    return 0
