"""The accuracy-versus-request-cost curve: a row for each point of a sweep.

A finished cell is boiled down to its `Digest` (a few numbers and one row a user), and curves are made of digests alone,
so a sweep never holds more than one cell's request log.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import TableError
from analysis.intervals import Estimate, interval, ratio
from analysis.summary import PERCENTILES, STATUSES, Summary, summarise

COLUMNS = (
    "policy",
    "parameter",
    "replications",
    "requests_per_interaction",
    "uplink_bytes_per_interaction",
    "downlink_bytes_per_interaction",
    "gpu_seconds_per_1000_interactions",
    "usd_per_1000_interactions",
    "hr_at_10",
    "hr_at_10_low",
    "hr_at_10_high",
    "ndcg_at_10",
    "ndcg_at_10_low",
    "ndcg_at_10_high",
    "mrr",
    "mean_staleness",
    "latency_p50_ms",
    "latency_p95_ms",
    "latency_p99_ms",
    "utilisation",
)
"""The columns that `curve.csv` promises, in this order; `EXTRA` follow them."""

EXTRA = (
    "mrr_low",
    "mrr_high",
    "settled",
    "interactions",
    "requests",
    "attempts",
    "held_share",
    "waited_ms_per_interaction",
    *(f"{status}_share" for status in STATUSES),
)
"""interactions, requests, attempts (a request made again has several): over all replications. held_share: interactions
shown with an answer of the cloud. <status>_share: of all attempts, how many ended so."""

METRICS = {"hr_at_10": "hits_at_10", "ndcg_at_10": "ndcg_at_10", "mrr": "reciprocal_rank"}
"""Accuracy to the column of the device table that holds its sum over interactions."""

USER_SUMS = ("interactions", "requests", *METRICS.values())


@dataclass(frozen=True)
class Digest:
    """What a curve needs of one cell.

    summary: as `analysis.summary.summarise` gives it, with None for what has no value, so that it survives JSON.
    users: a row a user, sorted by user, with its devices' sums (`user` and `USER_SUMS`).
    """

    summary: Summary
    users: pd.DataFrame

    @property
    def point(self) -> tuple[str, float | None]:
        """The policy and its parameter."""
        return self.summary["policy"], self.summary["parameter"]


def digest(requests: Iterable[pd.DataFrame], devices: pd.DataFrame, cell: Mapping[str, Any]) -> Digest:
    """Boil a cell down; the arguments and what is raised are those of `summarise`."""
    summary = summarise(requests, devices, cell)
    sums = devices.groupby("user", sort=True)[list(USER_SUMS)].sum().reset_index()
    return Digest({name: None if _missing(value) else value for name, value in summary.items()}, sums)


def curve(digests: Iterable[Digest]) -> pd.DataFrame:
    """One row a point, sorted by policy and parameter: `COLUMNS`, then `EXTRA`; what has no value is NaN.

    Rates are totals over totals of all replications. A latency percentile is the mean of the replications' percentiles
    (those that have one). A point is settled if every replication is. Intervals are 95%, over replications and users.
    Raises `TableError` where a replication comes twice or two replications replayed different users.
    """
    points = by_point(digests)
    rows = [_row(points[point]) for point in sorted(points, key=_order)]
    table = pd.DataFrame(rows, columns=[*COLUMNS, *EXTRA])
    return table.astype(
        {"parameter": float, "mean_staleness": float} | {f"latency_p{p}_ms": float for p in PERCENTILES}
    )


def by_point(digests: Iterable[Digest]) -> dict[tuple[str, float | None], list[Digest]]:
    """The replications of each point, in their order."""
    points: dict[tuple[str, float | None], list[Digest]] = defaultdict(list)
    for one in digests:
        points[one.point].append(one)
    for (policy, parameter), replications in points.items():
        replications.sort(key=lambda one: int(one.summary["replication"]))
        numbers = [one.summary["replication"] for one in replications]
        if len(set(numbers)) < len(numbers):
            raise TableError(f"point {policy} {parameter}: a replication comes twice in {numbers}")
    return dict(points)


def per_interaction(replications: Sequence[Digest], column: str) -> Estimate:
    """A column of `USER_SUMS` over interactions, for one point, over its replications and users."""
    users = replications[0].users["user"].to_numpy()
    for other in replications[1:]:
        if not np.array_equal(users, other.users["user"].to_numpy()):
            policy, parameter = other.point
            raise TableError(f"point {policy} {parameter}: its replications replayed different users")
    sums = np.stack([one.users[column].to_numpy(float) for one in replications])
    counts = np.stack([one.users["interactions"].to_numpy(float) for one in replications])
    return ratio(sums, counts)


def to_csv(table: pd.DataFrame) -> str:
    """The text of `curve.csv`: ten significant digits, so that the last bits of a sum do not show."""
    return table.to_csv(index=False, float_format="%.10g", lineterminator="\n")


def read_csv(path: Path) -> pd.DataFrame:
    """Read a `curve.csv`. Raises `TableError` naming the file where it is none."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: cannot be read as a curve ({error})") from error
    if missing := [column for column in (*COLUMNS, *EXTRA) if column not in table.columns]:
        raise TableError(f"{path}: is no curve: column {missing[0]!r} is missing")
    if table.empty:
        raise TableError(f"{path}: the curve has no point")
    return table


def _row(replications: Sequence[Digest]) -> dict[str, Any]:
    summaries = pd.DataFrame([one.summary for one in replications])
    totals = summaries.select_dtypes("number").sum()
    policy, parameter = replications[0].point
    interactions, requests = totals["interactions"], totals["requests"]
    row: dict[str, Any] = {
        "policy": policy,
        "parameter": np.nan if parameter is None else parameter,
        "replications": len(replications),
        "requests_per_interaction": requests / interactions,
        "uplink_bytes_per_interaction": totals["uplink_bytes"] / interactions,
        "downlink_bytes_per_interaction": totals["downlink_bytes"] / interactions,
        "gpu_seconds_per_1000_interactions": 1000 * totals["gpu_s"] / interactions,
        "usd_per_1000_interactions": 1000 * totals["usd"] / interactions,
        "mean_staleness": totals["staleness"] / totals["held"] if totals["held"] else np.nan,
        "utilisation": totals["busy_s"] / totals["available_s"] if totals["available_s"] else np.nan,
        "settled": bool(summaries["settled"].all()),
        "interactions": int(interactions),
        "requests": int(requests),
        "attempts": int(totals["attempts"]),
        "held_share": totals["held"] / interactions,
        "waited_ms_per_interaction": 1000 * totals["waited_s"] / interactions,
    }
    for percentile in PERCENTILES:
        name = f"latency_p{percentile}_ms"
        row[name] = summaries[name].astype(float).mean()
    for status in STATUSES:
        row[f"{status}_share"] = totals[status] / totals["attempts"] if requests else np.nan
    for metric, column in METRICS.items():
        found = interval(per_interaction(replications, column))
        row |= {metric: found.value, f"{metric}_low": found.low, f"{metric}_high": found.high}
    return row


def _order(point: tuple[str, float | None]) -> tuple[str, float]:
    policy, parameter = point
    return policy, -math.inf if parameter is None else parameter


def _missing(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
