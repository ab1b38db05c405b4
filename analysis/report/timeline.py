"""Latency and the queue over simulated time, from a request log, in bins."""

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

COLUMNS = ["intended_s", "arrived_s", "started_s", "left_s", "answered_s", "status"]
BINS = (12, 60)
"""Fewest and most bins of a picture."""
FEWEST = 20
"""Answers in a bin below which its 95th percentile is but its slowest one, and none is given."""
NEARLY_ALL = 0.99
"""Share of its requests after which a run's last stragglers are left out of the picture."""
UNITS = ((1.0, "s", 180.0), (60.0, "min", 7200.0), (3600.0, "h", float("inf")))
"""Seconds in a unit of time, its name, and the duration from which on the next one reads better."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Timeline:
    """[bins] of equal width: edges_s [bins + 1], requests intended in each, latency of those that were answered (NaN
    where fewer than `FEWEST` were), and how many requests waited for a server, on the average over the bin."""

    edges_s: FloatArray
    requests: npt.NDArray[np.int64]
    p50_ms: FloatArray
    p95_ms: FloatArray
    waiting: FloatArray


def timeline(log: pd.DataFrame, until_s: float, bins: int) -> Timeline:
    """Bin a request log (`COLUMNS`) over [0, until_s]; what was intended later is left out."""
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

    return Timeline(
        edges_s=edges,
        requests=np.bincount(place, minlength=bins)[:bins],
        p50_ms=percentile(0.5),
        p95_ms=percentile(0.95),
        waiting=_waiting(log, edges),
    )


def over_time(cells: Sequence[Cell], shown: Set[str]) -> Chart | None:
    """A chart of some cells' latency and queue, begun with the policies `shown`; None where nothing happened."""
    logs = {cell.digest.point: cell.table("requests", COLUMNS) for cell in cells}
    until_s = max((float(log["intended_s"].quantile(NEARLY_ALL)) for log in logs.values() if len(log)), default=0.0)
    if not until_s > 0:
        return None
    unit, words = next((unit, words) for unit, words, most in UNITS if until_s < most)
    look = looks(cell.digest.point[0] for cell in cells)
    bins = int(np.clip(min(map(len, logs.values())) // (2 * FEWEST), *BINS))
    lines = {point: timeline(log, until_s, bins) for point, log in logs.items()}
    series = tuple(
        Series(wording.point(*point), look[point[0]], _points(line, unit, words), marks=False, shown=point[0] in shown)
        for point, line in lines.items()
    )
    log = spans(pd.Series(np.concatenate([line.p95_ms for line in lines.values()])))
    return Chart(
        id="time",
        title="Latency and queue over time",
        x=(Axis("at", f"simulated time ({words})", zero=True),),
        y=(
            Axis("p95", "latency, 95th percentile (ms)", zero=not log, log=log),
            Axis("p50", "latency, median (ms)", zero=not log, log=log),
            Axis("waiting", "requests waiting for a server", zero=True),
        ),
        series=series,
        columns=("time", "requests", "median latency", "p95 latency", "waiting"),
        note=f"The first replication of each point, until 99% of its requests were made, in {bins} bins;"
        f" one with fewer than {FEWEST} answers has no latency.",
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
        )
        values = {"at": at, "p95": line.p95_ms[i], "p50": line.p50_ms[i], "waiting": line.waiting[i]}
        points.append(Point(tip[0], plain(values), tip))
    return tuple(points)


def _waiting(log: pd.DataFrame, edges: FloatArray) -> FloatArray:
    """Requests that have arrived, and neither started nor left, on the average over each bin."""
    arrived, started, left = (log[name].to_numpy(float) for name in ("arrived_s", "started_s", "left_s"))
    came = np.isfinite(arrived)
    gone = np.where(np.isfinite(started), started, np.where(np.isfinite(left), left, np.inf))
    begin, end = arrived[came], gone[came]
    # The time waited before t, over all requests: as long as t lies past their arrivals, but not past their starts.
    waited = _past(begin, edges) - _past(end, edges)
    width = np.diff(edges)
    return np.divide(np.diff(waited), width, out=np.zeros_like(width), where=width > 0)


def _past(moments: FloatArray, at: FloatArray) -> FloatArray:
    """Sum over moments of max(t - moment, 0), for each t of `at`."""
    ordered = np.sort(moments[np.isfinite(moments)])
    sums = np.append(0.0, np.cumsum(ordered))
    before = np.searchsorted(ordered, at, side="right")
    past: FloatArray = before * at - sums[before]
    return past
