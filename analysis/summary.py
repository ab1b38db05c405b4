"""One cell in numbers: what its requests cost, and what accuracy its devices got for them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.errors import TableError
from analysis.settle import settling
from analysis.warmup import BATCH, FEWEST_BATCHES, mser5

STATUSES = ("answered", "rejected", "timed_out", "lost", "abandoned", "in_flight")
"""How a request can end; every request has one of these."""

PERCENTILES = (50, 95, 99)

TIMES = ("intended_s", "sent_s", "arrived_s", "started_s", "answered_s")
REQUEST_COLUMNS = ("attempt", *TIMES, "status", "batch_size", "replica", "gpu_s")
DEVICE_COLUMNS = (
    "user",
    "interactions",
    "requests",
    "hits_at_10",
    "ndcg_at_10",
    "reciprocal_rank",
    "staleness",
    "held",
    "waited_s",
    "uplink_bytes",
    "downlink_bytes",
)
COUNTED = ("interactions", "requests", "staleness", "held", "uplink_bytes", "downlink_bytes")

FloatArray = npt.NDArray[np.float64]
Summary = dict[str, Any]
"""Names to plain values; a ratio without a value (a latency where nothing was answered) is NaN."""


def summarise(requests: Iterable[pd.DataFrame], devices: pd.DataFrame, cell: Mapping[str, Any]) -> Summary:
    """Totals and ratios of one cell, from its request log, its device table and its `cell.json` (docs/design.md).

    requests: the log (`REQUEST_COLUMNS`) in pieces, in the order of sending; they are gone through more than once, and
    sums of what is no whole number add up piece by piece. A row of the log is an attempt; a request made again has
    several, and counts once. Latency runs from the moment a request was intended to the moment its answer reached the
    device, over answered requests. Utilisation is the replicas' busy share of the simulated time. Raises `TableError`
    where a column is missing, nothing was replayed, or the log and the device table do not hold the same requests.
    """
    _require(devices, DEVICE_COLUMNS, "device table")
    asked, counts, work_s = 0, dict.fromkeys(STATUSES, 0), []
    for piece in requests:
        _require(piece, REQUEST_COLUMNS, "request log")
        asked += int((piece["attempt"] == 1).sum())
        for status, number in piece["status"].value_counts().items():
            counts[str(status)] = counts.get(str(status), 0) + int(number)
        work_s.append(float(piece["gpu_s"].sum()))
    totals = {name: float(devices[name].sum()) for name in DEVICE_COLUMNS[1:]}
    interactions = totals["interactions"]
    if not interactions:
        raise TableError("device table: no interaction was replayed, so there is no accuracy to report")
    if totals["requests"] != asked:
        raise TableError(f"the devices made {totals['requests']:.0f} requests, but the request log holds {asked}")
    if unknown := sorted({status for status, number in counts.items() if number} - set(STATUSES)):
        raise TableError(f"request log: status {unknown[0]!r} is none of {', '.join(STATUSES)}")

    gpu_s, usd = math.fsum(work_s), float(cell["usd"])
    available_s = float(cell["replicas"]) * float(cell["duration_s"])
    return {
        "policy": str(cell["policy"]),
        "parameter": None if cell["parameter"] is None else float(cell["parameter"]),
        "replication": int(cell["replication"]),
        "seed": int(cell["seed"]),
        **{name: int(totals[name]) for name in COUNTED},
        "waited_s": totals["waited_s"],
        "gpu_s": gpu_s,
        "usd": usd,
        "busy_s": float(cell["busy_s"]),
        "available_s": available_s,
        "attempts": sum(counts.values()),
        **{status: counts[status] for status in STATUSES},
        "requests_per_interaction": asked / interactions,
        "uplink_bytes_per_interaction": totals["uplink_bytes"] / interactions,
        "downlink_bytes_per_interaction": totals["downlink_bytes"] / interactions,
        **({"push_bytes_per_device": float(devices["push_bytes"].mean())} if "push_bytes" in devices else {}),
        "gpu_seconds_per_1000_interactions": 1000 * gpu_s / interactions,
        "usd_per_1000_interactions": 1000 * usd / interactions,
        "hr_at_10": totals["hits_at_10"] / interactions,
        "ndcg_at_10": totals["ndcg_at_10"] / interactions,
        "mrr": totals["reciprocal_rank"] / interactions,
        "mean_staleness": totals["staleness"] / totals["held"] if totals["held"] else np.nan,
        **latency(requests, cell.get("warm_up_s", 0.0)),
        "utilisation": float(cell["busy_s"]) / available_s if available_s else np.nan,
        "settled": settling(requests).settled,
    }


def latency(requests: Iterable[pd.DataFrame], warm_up_s: float | str) -> dict[str, float]:
    """Percentiles over answered requests intended from `warm_up_s` on; "mser5": from where that rule ends the warm-up.

    requests: as of `summarise`. Where a run is too short for the rule, all of it counts.
    """
    if warm_up_s == "mser5":
        intended, took = (np.concatenate(column) for column in zip(*_answered(requests), strict=True))
        took = took[np.argsort(intended, kind="stable")]
        long_enough = len(took) >= BATCH * FEWEST_BATCHES
        took = took[(mser5(took) or 0) if long_enough else 0 :]
    else:
        since = float(warm_up_s)
        took = np.concatenate([took[intended >= since] for intended, took in _answered(requests)])
    names = [f"latency_p{percentile}_ms" for percentile in PERCENTILES]
    if not len(took):
        return dict.fromkeys(names, np.nan)
    took *= 1000
    values = np.percentile(took, PERCENTILES, overwrite_input=True)
    return dict(zip(names, map(float, values), strict=True))


def _answered(requests: Iterable[pd.DataFrame]) -> Iterator[tuple[FloatArray, FloatArray]]:
    """When requests that were answered were intended, and how long it took, in seconds."""
    for piece in requests:
        answered = (piece["status"] == "answered").to_numpy()
        intended = piece["intended_s"].to_numpy(float)[answered]
        yield intended, piece["answered_s"].to_numpy(float)[answered] - intended


def _require(table: pd.DataFrame, columns: tuple[str, ...], name: str) -> None:
    if missing := [column for column in columns if column not in table.columns]:
        raise TableError(f"{name}: column {missing[0]!r} is missing")
