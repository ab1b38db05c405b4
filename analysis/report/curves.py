"""Charts of a curve: a line for each policy, with everything that is known of each point."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pandas as pd

from analysis.plot import ACCURACIES, ALWAYS, COSTS, DEVICE_ONLY, ORACLE
from analysis.report import wording
from analysis.report.chart import DECADES, INK, SYMBOLS, Axis, Chart, Look, Point, Series, bound, look
from analysis.report.folder import Cell, Results
from analysis.report.leaderboard import Board

COLUMNS = (
    "requests",
    "NDCG@10",
    "95% interval",
    "HR@10",
    "MRR",
    "list age",
    "p50",
    "p95",
    "p99",
    "cloud busy",
    "GPU s per 1,000",
    "$ per 1,000",
    "queue",
)
CROWD = 6
"""Lines beyond which a chart of details begins with a few."""
ALWAYS_DASH, DEVICE_DASH = "8 4", "2 3"
NAMES = {ALWAYS: "always ask", DEVICE_ONLY: "device only", ORACLE: "oracle (upper bound)"}
"""What is no rule of its own, in words."""


def looks(policies: Iterable[str]) -> dict[str, Look]:
    """Policy to its look, by the order of names, as in the picture of `recfleet plot`."""
    names = sorted(set(policies) - {ALWAYS, DEVICE_ONLY, ORACLE})
    apart = {
        ALWAYS: Look(INK, SYMBOLS["s"], ALWAYS_DASH),
        DEVICE_ONLY: Look(INK, SYMBOLS["o"], DEVICE_DASH),
        ORACLE: bound(),
    }
    return apart | {name: look(place) for place, name in enumerate(names)}


def curve_points(curve: pd.DataFrame) -> tuple[Point, ...]:
    """The rows of a curve as points with all costs and accuracies."""
    keys = [column for column, _ in COSTS.values()]
    points = []
    for _, row in curve.iterrows():
        points.append(
            Point(
                name=wording.point(row["policy"], row["parameter"]),
                place=plain({key: row[key] for key in (*keys, *ACCURACIES, "mean_staleness")}),
                low=plain({key: row[f"{key}_low"] for key in ACCURACIES}),
                high=plain({key: row[f"{key}_high"] for key in ACCURACIES}),
                tip=_tip(row),
                hollow=not row["settled"],
            )
        )
    return tuple(points)


def _tip(row: pd.Series) -> tuple[str, ...]:
    return (
        wording.share(row["requests_per_interaction"], 1),
        wording.accuracy(row["ndcg_at_10"]),
        f"{wording.accuracy(row['ndcg_at_10_low'])} to {wording.accuracy(row['ndcg_at_10_high'])}",
        wording.accuracy(row["hr_at_10"]),
        wording.accuracy(row["mrr"]),
        wording.NONE if math.isnan(row["mean_staleness"]) else f"{wording.number(row['mean_staleness'])} clicks",
        wording.milliseconds(row["latency_p50_ms"]),
        wording.milliseconds(row["latency_p95_ms"]),
        wording.milliseconds(row["latency_p99_ms"]),
        wording.share(row["utilisation"]),
        wording.number(row["gpu_seconds_per_1000_interactions"]),
        wording.number(row["usd_per_1000_interactions"]),
        "settled" if row["settled"] else "never settled",
    )


def costs(curve: pd.DataFrame, objective_ms: float | None = None) -> tuple[Axis, ...]:
    """The axes of cost, and the age that lists get for it; latency, on a logarithmic one where it spans decades, with
    its objective."""
    axes = []
    for name, (column, label) in COSTS.items():
        late = name == "latency"
        wide = late and spans(curve[column])
        axes.append(Axis(column, label, share=name == "requests", zero=not late, log=wide))
        if late:
            axes[-1] = replace(axes[-1], limit=objective_ms, limited="objective")
    axes.append(Axis("mean_staleness", "mean age of the list shown (clicks)", zero=True))
    return tuple(axes)


def accuracies() -> tuple[Axis, ...]:
    """The axes of accuracy."""
    return tuple(Axis(key, label) for key, label in ACCURACIES.items())


def tradeoff(results: Results) -> Chart:
    """Accuracy against cost: a line for each policy; never and always as levels."""
    return Chart(
        id="tradeoff",
        title="Accuracy against cost",
        x=costs(results.curve, results.objective_ms),
        y=accuracies(),
        series=_by_policy(results.curve),
        columns=COLUMNS,
        note=notes(results.curve),
    )


def notes(curve: pd.DataFrame) -> str:
    """What bands and hollow points mean."""
    least, most = curve["replications"].min(), curve["replications"].max()
    times = f"{most}" if least == most else f"{least} to {most}"
    text = f"Bands: 95% intervals over users and {times} replication{'' if most == 1 else 's'}."
    return text if curve["settled"].all() else f"{text} Hollow: the cloud's queue never settled there."


def _by_policy(curve: pd.DataFrame) -> tuple[Series, ...]:
    found = looks(curve["policy"])
    series = []
    groups = sorted(curve.groupby("policy"), key=lambda group: (group[0] in (ALWAYS, DEVICE_ONLY), group[0]))
    for policy, rows in groups:
        level = policy in (ALWAYS, DEVICE_ONLY)
        series.append(Series(NAMES.get(str(policy), str(policy)), found[str(policy)], curve_points(rows), level=level))
    return tuple(series)


def few(policies: Iterable[str], board: Board | None) -> set[str]:
    """The policies that a crowded chart begins with; a reader can add the others."""
    everyone = set(policies)
    return everyone if board is None or len(everyone) <= CROWD else everyone & (board.leading() | {ALWAYS})


def representatives(results: Results, board: Board | None) -> list[Cell]:
    """One cell a policy, of its first replication: its point nearest to the board's cost, or its dearest one."""
    curve = results.curve[results.curve["requests"] > 0]
    chosen = []
    for policy, rows in curve.groupby("policy", sort=True):
        cost = rows["requests_per_interaction"]
        at = cost.max() if board is None or board.cost is None else board.cost
        row = rows.iloc[int((cost - at).abs().argmin())]
        parameter = None if math.isnan(row["parameter"]) else float(row["parameter"])
        cells = [cell for cell in results.cells if cell.digest.point == (policy, parameter)]
        chosen.append(min(cells, key=lambda cell: int(cell.facts["replication"])))
    return chosen


def spans(latencies: pd.Series) -> bool:
    """Whether latencies span decades."""
    known = latencies[latencies > 0]
    return bool(len(known)) and math.log10(known.max() / known.min()) > DECADES


def plain(values: Mapping[str, float]) -> dict[str, float | None]:
    """Numbers that JSON has, to seven significant digits."""
    return {key: None if math.isnan(value) else float(f"{value:.7g}") for key, value in values.items()}
