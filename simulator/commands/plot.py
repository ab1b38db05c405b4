"""`recfleet plot`: the curve of finished results, drawn again."""

from __future__ import annotations

from pathlib import Path

import click

# Named here as well as in analysis.plot, so that --help need not load matplotlib; a test holds them equal.
COSTS = ("requests", "uplink", "downlink", "gpu", "dollars", "latency")
ACCURACIES = ("ndcg_at_10", "hr_at_10", "mrr")
FORMATS = ("png", "svg", "pdf")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--x", type=click.Choice(COSTS), default="requests", show_default=True, help="What it costs.")
@click.option("--y", type=click.Choice(ACCURACIES), default="ndcg_at_10", show_default=True, help="What it brings.")
@click.option("--format", "kind", type=click.Choice(FORMATS), help="  [default: as --out ends, else png]")
@click.option("--out", type=click.Path(path_type=Path), help="  [default: DIR/curve.png, DIR/curve-<x>-<y>.png, ...]")
def command(folder: Path, x: str, y: str, kind: str | None, out: Path | None) -> None:
    """Draw the curve of the results in DIR again, with other axes or in another format.

    latency is the 95th percentile of the answers; dollars and gpu are per 1,000 interactions.
    """
    import yaml

    from analysis.curve import read_csv
    from analysis.plot import draw
    from scenarios.cache import atomic
    from scenarios.errors import UserError

    source = folder / "curve.csv"
    if not source.is_file():
        raise UserError(f"{folder}: holds no curve.csv; expected a folder of results that `recfleet run` wrote")
    ending = kind or (out.suffix.lstrip(".").lower() if out and out.suffix else "png")
    if ending not in FORMATS:
        raise UserError(f"{out}: pictures end in {', '.join(FORMATS)}, not {ending!r}; or name one with --format")
    name = "curve" if (x, y) == ("requests", "ndcg_at_10") else f"curve-{x}-{y}"
    target = out or folder / f"{name}.{ending}"

    try:
        scenario = yaml.safe_load((folder / "scenario.yaml").read_text(encoding="utf-8"))
        title = str(scenario.get("question") or scenario["name"])
    except (OSError, ValueError, AttributeError, KeyError, yaml.YAMLError) as error:
        raise UserError(
            f"{folder / 'scenario.yaml'}: cannot be read as a scenario, so the curve has no title"
        ) from error
    curve = read_csv(source)
    with atomic(target) as scratch:
        draw(curve, scratch, title=title, x=x, y=y, kind=ending)  # type: ignore[arg-type]  # one of FORMATS
    click.echo(target)
