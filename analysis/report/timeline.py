"""Latency, the queue and accuracy over simulated time, in bins: from the request log and the series of a run."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.report import wording
from analysis.report.chart import Axis, Chart, Point, Series
from analysis.report.curves import looks, plain, spans
from analysis.report.folder import Cell

LOG = ["intended_s", "answered_s", "status"]
SERIES = ["from_s", "until_s", "interactions", "waiting", "ndcg_at_10"]
"""Columns that are read."""
BINS = (12, 60)
"""Fewest and most bins of a picture."""
FEWEST = 20
"""Answers in a bin below which its 95th percentile is but its slowest one, and none is given; and interactions below
which accuracy says little."""
NEARLY_ALL = 0.99
"""Share of its requests after which a run's last stragglers are left out of the picture."""
UNITS = ((1.0, "s", 180.0), (60.0, "min", 7200.0), (3600.0, "h", float("inf")))
"""Seconds in a unit of time, its name, and the duration from which on the next one reads better."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Timeline:
    """[bins] of equal width: edges_s [bins + 1], requests intended in each, latency of those that were answered (NaN
    where fewer than `FEWEST` were), how many requests waited for a server, on the average over the bin, and NDCG@10 of
    its interactions (NaN where fewer than `FEWEST`)."""

    edges_s: FloatArray
    requests: npt.NDArray[np.int64]
    p50_ms: FloatArray
    p95_ms: FloatArray
    waiting: FloatArray
    ndcg_at_10: FloatArray


def timeline(log: pd.DataFrame, series: pd.DataFrame, until_s: float, bins: int) -> Timeline:
    """Bin a request log (`LOG`) and a series (`SERIES`) over [0, until_s]; what was intended later is left out."""
    edges = np.linspace(0.0, until_s, bins + 1)
    intended = log["intended_s"].to_numpy(float)
    place = np.minimum(np.searchsorted(edges, intended, side="right") - 1, bins - 1)
    place[intended > until_s] = bins
    answered = (log["status"] == "answered").to_numpy(bool)
    latency = 1000 * (log["answered_s"].to_numpy(float) - intended)
    grouped = pd.Series(latency[answered]).groupby(place[answered])
    enough = grouped.count() >= FEWEST

    def percentile(share: float) -> FloatArray:
        return grouped.quantile(share).where(enough).reindex(range(bins)).to_numpy(float)

    lived = _shared(series["interactions"], series, edges)
    gained = _shared(series["ndcg_at_10"] * series["interactions"], series, edges)
    return Timeline(
        edges_s=edges,
        requests=np.bincount(place, minlength=bins)[:bins],
        p50_ms=percentile(0.5),
        p95_ms=percentile(0.95),
        waiting=_shared(series["waiting"] * (series["until_s"] - series["from_s"]), series, edges) / np.diff(edges),
        ndcg_at_10=np.where(lived >= FEWEST, gained / np.maximum(lived, 1), np.nan),
    )


def over_time(cells: Sequence[Cell], shown: Set[str], objective_ms: float | None = None) -> Chart | None:
    """A chart of some cells' latency and queue, begun with the policies `shown`; None where nothing happened.

    objective_ms: what the 95th percentile of latency is to stay below, drawn as a line.
    """
    logs = {cell.digest.point: cell.table("requests", LOG) for cell in cells}
    over = {cell.digest.point: cell.table("series", SERIES) for cell in cells}
    until_s = max((float(log["intended_s"].quantile(NEARLY_ALL)) for log in logs.values() if len(log)), default=0.0)
    if not until_s > 0:
        return None
    unit, words = next((unit, words) for unit, words, most in UNITS if until_s < most)
    look = looks(cell.digest.point[0] for cell in cells)
    bins = int(np.clip(min(map(len, logs.values())) // (2 * FEWEST), *BINS))
    lines = {point: timeline(log, over[point], until_s, bins) for point, log in logs.items()}
    series = tuple(
        Series(wording.point(*point), look[point[0]], _points(line, unit, words), marks=False, shown=point[0] in shown)
        for point, line in lines.items()
    )
    log = spans(pd.Series(np.concatenate([line.p95_ms for line in lines.values()])))
    return Chart(
        id="time",
        title="Latency, queue and accuracy over time",
        x=(Axis("at", f"simulated time ({words})", zero=True),),
        y=(
            Axis("p95", "latency, 95th percentile (ms)", False, not log, log, objective_ms, "objective"),
            Axis("p50", "latency, median (ms)", zero=not log, log=log),
            Axis("waiting", "requests waiting for a server", zero=True),
            Axis("ndcg", "NDCG@10"),
        ),
        series=series,
        columns=("time", "requests", "median latency", "p95 latency", "waiting", "NDCG@10"),
        note=f"The first replication of each point, until 99% of its requests were made, in {bins} bins;"
        f" one with fewer than {FEWEST} answers has no latency, one with fewer than {FEWEST} interactions no accuracy.",
    )


def _points(line: Timeline, unit: float, words: str) -> tuple[Point, ...]:
    middles = (line.edges_s[1:] + line.edges_s[:-1]) / 2 / unit
    points = []
    for i, at in enumerate(middles):
        tip = (
            f"{wording.number(at)} {words}",
            f"{line.requests[i]:,}",
            wording.milliseconds(line.p50_ms[i]),
            wording.milliseconds(line.p95_ms[i]),
            wording.number(line.waiting[i], 2),
            wording.accuracy(line.ndcg_at_10[i]),
        )
        values = {"at": at, "p95": line.p95_ms[i], "p50": line.p50_ms[i], "waiting": line.waiting[i]}
        values["ndcg"] = line.ndcg_at_10[i]
        points.append(Point(tip[0], plain(values), tip))
    return tuple(points)


def _shared(amounts: pd.Series, series: pd.DataFrame, edges: FloatArray) -> FloatArray:
    """What falls into each bin of the amounts of all windows, each evenly spread over its window."""
    sums = np.append(0.0, np.nancumsum(amounts.to_numpy(float)))
    return np.diff(np.interp(edges, np.append(0.0, series["until_s"].to_numpy(float)), sums))
