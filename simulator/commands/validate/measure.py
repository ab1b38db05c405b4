"""What a run shows of its queue, in batches of time, with control variates.

A batch is a stretch of time; the beginning of a run, in which the queue fills, and its end are left out. Means of a
busy queue vary wildly from batch to batch, mostly by chances that are known: more requests came than the rate says,
they were longer than the mean says, or long ones met a long queue. Each such chance has mean 0 whatever a queue does:

- arrivals: requests that came, less those expected;
- thinking (of a finite fleet instead): think times over their mean, less 1 each;
- service: times of service over their mean, less 1 each;
- service in the crowd: the same, each times the load that it met, of which it knows nothing;
- arrivals in the crowd: the load that arrivals met, less rate x load over time, as Poisson arrivals see time averages
  (Wolff, Operations Research 30(2), 1982);
- drift: load at the end less that at the beginning, and its square, as a steady queue comes back.

They serve as control variates (Lavenberg & Welch, Management Science 27(3), 1981): what they explain is taken off the
means, and so would be a server that is a little too slow. That the first three do have mean 0 is therefore held by
itself, over all runs together (`rows.POOLED`). The load is the work in the system, the number that wait, or the number
present. For one server they leave little but the chance of the second moment of service, however busy it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from simulator.outcomes import FloatArray

Load = Literal["work", "waiting", "present"]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Batches:
    """sums: name -> [batches] what happened in each. controls: [batches, controls], each of mean 0."""

    sums: dict[str, FloatArray]
    controls: FloatArray


@dataclass(frozen=True)
class _Path:
    """A process that jumps at events and falls in straight lines between them. after: its values right after them."""

    time: FloatArray
    after: FloatArray
    slope: FloatArray

    def at(self, moments: FloatArray) -> FloatArray:
        """Its values at these moments, after what happens then."""
        k = np.searchsorted(self.time, moments, side="right") - 1
        return self.after[k] - self.slope[k] * (moments - self.time[k])

    def before(self, moments: FloatArray) -> FloatArray:
        """Its values at these moments, before what happens then; of a process that does not fall."""
        return self.after[np.searchsorted(self.time, moments, side="left") - 1]

    def integral(self, edges: FloatArray) -> FloatArray:
        """[len(edges) - 1] over each stretch between two edges."""
        length = np.diff(self.time)
        whole = np.append(0.0, np.cumsum(self.after[:-1] * length - self.slope[:-1] * length**2 / 2))
        k = np.searchsorted(self.time, edges, side="right") - 1
        rest = edges - self.time[k]
        return np.diff(whole[k] + self.after[k] * rest - self.slope[k] * rest**2 / 2)


@dataclass(frozen=True)
class _Stay:
    """Requests that were let in: when they came, left the queue and left the system, their work, whether it was done.
    Who never leaves stays until the last batch ends."""

    came: FloatArray
    out_of_queue: FloatArray
    gone: FloatArray
    work: FloatArray
    served: Bools


def batches(
    requests: pd.DataFrame, load: Load, servers: int, rate: float | None, think_s: float | None, edges: FloatArray
) -> Batches:
    """Cut a run's request log, where services take a second on the average.

    rate: of Poisson arrivals; think_s: mean think time of a finite fleet; one of the two. edges: of the batches, even.
    """
    came = requests["arrived_s"].to_numpy()
    served = requests["finished_s"].notna().to_numpy()
    started = requests["started_s"].to_numpy()
    gone = requests["finished_s"].fillna(requests["left_s"]).fillna(edges[-1]).to_numpy()
    entered = (requests["status"] != "rejected").to_numpy()
    stay = _Stay(came, np.where(served, started, gone), gone, requests["gpu_s"].to_numpy(), served)
    stay = _Stay(**{name: column[entered] for name, column in vars(stay).items()})
    begun = requests[served].drop_duplicates(["replica", "started_s"])
    begin, work = begun["started_s"].to_numpy(), (begun["finished_s"] - begun["started_s"]).to_numpy()

    span = edges[1] - edges[0]
    present, waiting = _count(stay.came, stay.gone), _count(stay.came, stay.out_of_queue)
    sums = {
        "span": np.full(len(edges) - 1, span),
        "came": _total(edges, came),
        "entered": _total(edges, stay.came),
        "lost": _total(edges, came[~served]),
        "waited": _total(edges, stay.came, stay.out_of_queue - stay.came),
        "stayed": _total(edges, stay.came, stay.gone - stay.came),
        "present": present.integral(edges),
        "done": _total(edges, gone[served]),
        "worked_on": _total(edges, gone[served & (requests["gpu_s"] > 0).to_numpy()]),
        "busy": _count(*_busy(requests[served])).integral(edges),
    }
    if load == "work":
        crowd, met = _work(stay, servers)
        at, time, met_at_service, met_by_arrivals = stay.came, stay.work, met, met
    else:
        crowd = waiting if load == "waiting" else present
        met_by_arrivals = crowd.before(came)
        at, time, met_at_service = begin, work, crowd.at(begin)
    surprise = time - 1
    sums["services"], sums["worked"] = _total(edges, at), _total(edges, at, time)
    controls = [sums["worked"] - sums["services"], _total(edges, at, surprise * met_at_service)]
    if rate is not None:
        sums["expected"] = rate * sums["span"]
        controls += [
            sums["came"] - sums["expected"],
            _total(edges, came, met_by_arrivals) - rate * crowd.integral(edges),
        ]
    if think_s is not None:
        when, thought = _thinking(requests, think_s)
        sums["thinks"], sums["thought"] = _total(edges, when), _total(edges, when, thought)
        controls += [sums["thought"] - sums["thinks"]]
    ends = crowd.at(edges)
    controls += [np.diff(ends), np.diff(ends**2)]
    return Batches(sums, np.stack(controls, axis=1))


def _total(edges: FloatArray, when: FloatArray, what: FloatArray | None = None) -> FloatArray:
    """[batches] how many of these moments fall into each, or the sum of what belongs to them."""
    where = np.searchsorted(edges, when, side="right") - 1
    within = (where >= 0) & (where < len(edges) - 1)
    weights = None if what is None else what[within]
    return np.bincount(where[within], weights=weights, minlength=len(edges) - 1).astype(np.float64)


def _count(begin: FloatArray, end: FloatArray) -> _Path:
    """How many of these intervals hold."""
    time = np.concatenate([[0.0], begin, end])
    change = np.concatenate([[0.0], np.ones(len(begin)), -np.ones(len(end))])
    order = np.argsort(time, kind="stable")
    return _Path(time[order], np.cumsum(change[order]), np.zeros(len(time)))


def _busy(served: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """From when to when each replica has something in work."""
    begins, ends = [], []
    for _, mine in served.groupby("replica"):
        start = mine["started_s"].to_numpy()
        order = np.argsort(start, kind="stable")
        start, reach = start[order], np.maximum.accumulate(mine["finished_s"].to_numpy()[order])
        new = np.append(True, start[1:] > reach[:-1])
        begins.append(start[new])
        ends.append(reach[np.append(new[1:], True)])
    return np.concatenate(begins), np.concatenate(ends)


def _work(stay: _Stay, servers: int) -> tuple[_Path, FloatArray]:
    """The work in the system, which falls by one for each server at work; and what each request met of it."""
    n = len(stay.came)
    time = np.concatenate([[0.0], stay.came, stay.gone])
    order = np.argsort(time, kind="stable")
    time = time[order]
    number = np.cumsum(np.concatenate([[0.0], np.ones(n), -np.ones(n)])[order])
    jump = np.concatenate([[0.0], stay.work, np.zeros(n)])[order]
    slope = np.minimum(number, servers)
    after = np.cumsum(jump) - np.append(0.0, np.cumsum(slope[:-1] * np.diff(time)))
    met = np.empty(2 * n + 1)
    met[order] = after - jump
    return _Path(time, after, slope), met[1 : n + 1]


def _thinking(requests: pd.DataFrame, think_s: float) -> tuple[FloatArray, FloatArray]:
    """When each think time ended, and how long it was over the mean."""
    by_device = requests.sort_values(["device", "step"])
    thought = by_device["sent_s"] - by_device.groupby("device")["answered_s"].shift()
    known = thought.notna().to_numpy()
    return by_device["sent_s"].to_numpy()[known], thought.to_numpy()[known] / think_s
