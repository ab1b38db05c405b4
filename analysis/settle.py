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

from collections.abc import Iterable
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

COLUMNS = ("sent_s", "arrived_s", "started_s", "status", "batch_size", "replica", "gpu_s")

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


def settling(requests: Iterable[pd.DataFrame]) -> Settling:
    """Judge the queue from a request log (`COLUMNS`) in pieces, in the order of sending, gone through twice."""
    count = sum(int(piece["arrived_s"].notna().sum()) for piece in requests)
    middle = _Middle(count // 4, count - count // 4)
    n = middle.until - middle.first
    if n < FEWEST:
        return Settling(settled=True, growth=0.0, allowed_growth=np.inf, turned_away=0.0, arrivals=n)
    before: pd.DataFrame | None = None
    for piece in requests:
        if before is not None:
            middle.look(before, float(piece["sent_s"].iloc[0]))
        before = piece[list(COLUMNS)]
    if before is not None:
        middle.look(before, np.inf)
    growth = float(middle.late - middle.early)
    allowed_growth = CRITICAL_GROWTH * float(np.sqrt(n * middle.variability()))
    allowed_turned = TOLERATED * n + CHANCE * float(np.sqrt(TOLERATED * n))
    return Settling(
        settled=growth <= allowed_growth and middle.turned <= allowed_turned,
        growth=growth,
        allowed_growth=allowed_growth,
        turned_away=middle.turned / n,
        arrivals=n,
    )


class _Middle:
    """What is found in the middle of a run: from arrival number `first` to before number `until`.

    early, late: lowest backlog in its first and its last third. turned: requests that were never served.
    """

    def __init__(self, first: int, until: int) -> None:
        self.first, self.until = first, until
        self.early = self.late = np.inf
        self.turned = 0
        self._third = (until - first) // 3
        self._later: pd.DataFrame | None = None
        self._begins = np.zeros(0)
        """When work begins that has not begun yet."""
        self._place = self._came = self._begun = 0
        """Arrivals by now, those of them that are served or wait at the end, and those on whom work has begun."""
        self._last = np.zeros(0)
        """The last arrival of the middle."""
        self._seen: pd.DataFrame | None = None
        """Batches that were counted and may have members that are to arrive."""
        self._gaps, self._sizes, self._service = _Spread(), _Spread(), _Spread()

    def look(self, piece: pd.DataFrame, until: float) -> None:
        """At more requests, and at the time before `until`, in which nobody else arrives."""
        log = piece[piece["arrived_s"].notna()]
        away = log["started_s"].isna() & (log["status"] != "in_flight")
        self._begins = np.sort(np.append(self._begins, log["started_s"].dropna().to_numpy(float)))
        log = log.drop(columns=["status", "sent_s"]).assign(away=away)
        log = log if self._later is None else pd.concat([self._later, log])
        now = log["arrived_s"] < until
        self._later, log = log[~now], log[now].sort_values("arrived_s", kind="stable")
        arrived, gone = log["arrived_s"].to_numpy(float), log["away"].to_numpy(bool)

        place = self._place + np.arange(len(log))
        stays = arrived[~gone]
        backlog = self._came + np.searchsorted(stays, arrived, side="left")
        backlog -= self._begun + np.searchsorted(self._begins, arrived, side="right")
        early = (place >= self.first) & (place < self.first + self._third)
        late = (place >= self.until - self._third) & (place < self.until)
        self.early = min(self.early, backlog[early].min(initial=np.iinfo(np.int64).max))
        self.late = min(self.late, backlog[late].min(initial=np.iinfo(np.int64).max))
        self._place, self._came = self._place + len(log), self._came + len(stays)
        over = int(np.searchsorted(self._begins, until))
        self._begun, self._begins = self._begun + over, self._begins[over:]

        inside = (place >= self.first) & (place < self.until)
        self.turned += int(gone[inside].sum())
        moments = np.append(self._last, arrived[inside])
        self._gaps.add(np.diff(moments))
        self._last = moments[-1:]
        self._count_batches(log[inside & log["started_s"].notna().to_numpy()], until)

    def _count_batches(self, log: pd.DataFrame, until: float) -> None:
        known = 0 if self._seen is None else len(self._seen)
        log = log if self._seen is None else pd.concat([self._seen, log])
        new = ~log.duplicated(["replica", "started_s"]).to_numpy()
        new[:known] = False
        size = log["batch_size"].to_numpy(float)[new]
        self._sizes.add(size)
        self._service.add(log["gpu_s"].to_numpy(float)[new] * size)
        new[:known] = True
        self._seen = log[new & (log["started_s"] >= until).to_numpy()]

    def variability(self) -> float:
        """c_a^2 + b c_s^2 of the docstring above; arrivals count as at least Poisson."""
        size = self._sizes.mean if self._sizes.count else 1.0
        return max(1.0, self._gaps.squared_variation) + size * self._service.squared_variation


class _Spread:
    """Mean and spread of values that come some at a time (Chan, Golub and LeVeque 1983)."""

    def __init__(self) -> None:
        self.count, self.mean, self._squares = 0, 0.0, 0.0

    def add(self, values: FloatArray) -> None:
        """More values."""
        if len(values):
            mean, count = float(values.mean()), self.count + len(values)
            shift = mean - self.mean
            self._squares += float(((values - mean) ** 2).sum()) + shift**2 * self.count * (len(values) / count)
            self.mean += shift * (len(values) / count)
            self.count = count

    @property
    def squared_variation(self) -> float:
        """Squared coefficient of variation."""
        return self._squares / self.count / self.mean**2 if self.mean else 0.0
