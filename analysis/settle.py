"""Does the cloud's queue settle, or did the run only show how a queue grows?

Latency and staleness of a queue that keeps growing say how long the run was, not what the policy costs, so such points
are marked. The rule looks at the request log alone, in the middle of the run: the fleet ramps up before it and tails
off after it, so it takes the half of the arrivals between the first and the third quartile.

1. **Growth.** The backlog (arrived, not yet started; by Little's law the waiting time in other units) returns to
   its low point again and again if the queue is stable, whereas its low points drift upwards if more arrives than is
   served. So: lowest backlog in the last third of the middle minus lowest in the first third. A queue loaded exactly
   to its capacity is the worst that may pass; over n arrivals its backlog is a reflected Brownian motion of variance
   n (c_a^2 + b c_s^2), with c_a^2 and c_s^2 the squared coefficients of variation of the gaps between arrivals and of
   the batches' service times, b the mean batch (Kingman 1961; Whitt, Stochastic-Process Limits, 2002, ch. 9). Growth
   beyond its 95% quantile is not chance: at load 1 one run in twenty is marked, at 0.9 next to none, at 1.2 all that
   have a few thousand requests.
2. **Turned away.** A bounded queue cannot grow; it rejects. It counts as unsettled where more than `TOLERATED` of
   the middle's requests reached the cloud and were never served (rejected, or given up while they waited), again
   beyond what chance explains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

FEWEST = 40
"""Below this many arrivals in the middle nothing can be told, and the queue counts as settled."""

CRITICAL_GROWTH = 1.26
"""95% quantile of (min of R over [7/12, 3/4] - min of R over [1/4, 5/12]) / sqrt(1/2) for a Brownian motion R reflected
at 0 that starts there at time 0: the growth above in a critically loaded run, from begin to end, in units of
the middle's sqrt(n (c_a^2 + b c_s^2)). By simulation; a test repeats it."""

CHANCE = 1.645
"""95% quantile of the standard normal."""

TOLERATED = 0.01
"""Share of the requests that a settled service may turn away. A convention: one in a hundred is a rough edge, more is
a lack of capacity."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Settling:
    """What the middle of a run says of its queue.

    growth: rise of the backlog's low point, in requests. allowed_growth: what chance explains at most. turned_away:
    share of the arrivals that were never served. arrivals: how many the verdict rests on.
    """

    settled: bool
    growth: float
    allowed_growth: float
    turned_away: float
    arrivals: int


def settling(requests: pd.DataFrame) -> Settling:
    """Judge the queue from a request log (columns arrived_s, started_s, status, batch_size, replica, gpu_s)."""
    log = requests[requests["arrived_s"].notna()].sort_values("arrived_s", kind="stable")
    count = len(log)
    middle = slice(count // 4, count - count // 4)
    arrived = log["arrived_s"].to_numpy(float)
    n = len(arrived[middle])
    if n < FEWEST:
        return Settling(settled=True, growth=0.0, allowed_growth=np.inf, turned_away=0.0, arrivals=n)

    started = log["started_s"].to_numpy(float)
    away = np.isnan(started) & (log["status"] != "in_flight").to_numpy(bool)
    backlog = _backlog(arrived[~away], started[~away], at=arrived[middle])
    third = n // 3
    growth = float(backlog[-third:].min() - backlog[:third].min())
    allowed_growth = CRITICAL_GROWTH * float(np.sqrt(n * _variability(log.iloc[middle])))

    turned = int(away[middle].sum())
    allowed_turned = TOLERATED * n + CHANCE * float(np.sqrt(TOLERATED * n))
    return Settling(
        settled=growth <= allowed_growth and turned <= allowed_turned,
        growth=growth,
        allowed_growth=allowed_growth,
        turned_away=turned / n,
        arrivals=n,
    )


def _backlog(arrived: FloatArray, started: FloatArray, at: FloatArray) -> npt.NDArray[np.int64]:
    """Requests that wait just before each moment of `at`; those that never start wait for ever."""
    begun = np.sort(started[~np.isnan(started)])
    return np.searchsorted(arrived, at, side="left") - np.searchsorted(begun, at, side="right")


def _variability(log: pd.DataFrame) -> float:
    """c_a^2 + b c_s^2 of the docstring above; arrivals count as at least Poisson."""
    gaps = np.diff(log["arrived_s"].to_numpy(float))
    batches = log[log["started_s"].notna()].drop_duplicates(["replica", "started_s"])
    size = batches["batch_size"].to_numpy(float)
    service = batches["gpu_s"].to_numpy(float) * size
    mean_size = float(size.mean()) if len(size) else 1.0
    return max(1.0, _squared_variation(gaps)) + mean_size * _squared_variation(service)


def _squared_variation(values: FloatArray) -> float:
    mean = float(values.mean()) if len(values) else 0.0
    return float(values.var()) / mean**2 if mean else 0.0
