"""Run the cases, and hold each quantity against its theory."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from simulator.commands.validate.cases import CASES, Case
from simulator.commands.validate.estimate import Estimate, ratio
from simulator.commands.validate.measure import Batches, batches
from simulator.commands.validate.worlds import closed, poisson, simulate
from simulator.ledger import LedgerError
from simulator.outcomes import FloatArray
from simulator.watchdog import StalledError

UTILISATIONS = (0.3, 0.7, 0.9, 0.95)
REPLICATIONS = 2
BATCHES = 30
"""In a replication; long against the time in which even the busiest queue forgets."""
KEPT = (0.1, 0.99)
"""Of a run: what lies before still fills, and what lies behind may miss requests that would have come."""
_EXACT = {"worked_on": 1.0}
"""Share of those served that were worked on."""
POOLED = {"mean_service": ("worked", "services"), "arrivals": ("came", "expected"), "mean_think": ("thought", "thinks")}
"""What control variates take off the means, so that only a look at all runs of a law together can tell that it is not
1 but nearly so."""
CONFIDENCE = 0.95
"""That all intervals together hold their means."""


@dataclass(frozen=True)
class Row:
    """One quantity of one case. simulated, low, high, relative_error: None where the run broke a law of its own.

    utilisation: None of what is drawn alike at all of them, and taken together.
    """

    case: str
    utilisation: float | None
    quantity: str
    theory: float
    simulated: float | None
    low: float | None
    high: float | None
    relative_error: float | None
    holds: bool


@dataclass(frozen=True)
class Validation:
    """All rows, and what broke, in words."""

    rows: list[Row]
    broken: list[str]

    @property
    def holds(self) -> bool:
        """Whether everything holds."""
        return not self.broken and all(row.holds for row in self.rows)


@dataclass(frozen=True)
class _Compared:
    """A quantity before its interval is drawn, which is wider the more of them there are."""

    case: str
    utilisation: float | None
    quantity: str
    theory: float
    estimate: Estimate | None


def tolerance(utilisation: float | None) -> float:
    """Largest relative error allowed."""
    if utilisation is None:
        return 0.01
    return 0.02 if utilisation <= 0.9 else 0.05


def validate(
    cases: Sequence[Case] = CASES,
    utilisations: Sequence[float] = UTILISATIONS,
    seed: int = 2026,
    share: float = 1.0,
    jobs: int = 1,
    silent: bool = True,
) -> Validation:
    """Simulate every case at every utilisation. share: of the requests; relative errors may grow as its root falls."""
    cells = [(case, utilisation) for case in cases for utilisation in utilisations]
    tasks = [(case, utilisation, r) for case, utilisation in cells for r in range(REPLICATIONS)]
    order = sorted(range(len(tasks)), key=lambda i: -_requests(tasks[i][0], tasks[i][1], share))
    # By place in CASES, as a case has functions that cannot be sent to another process.
    shared = all(case in CASES for case in cases) and jobs > 1
    work = (
        delayed(_numbered)(CASES.index(c), u, r, seed, share) if shared else delayed(_simulated)(c, u, r, seed, share)
        for c, u, r in (tasks[i] for i in order)
    )
    runs_done = Parallel(n_jobs=jobs if shared else 1, return_as="generator")(work)
    bar = tqdm(runs_done, "simulating queues", total=len(tasks), unit=" runs", leave=False, disable=silent)
    done = dict(zip(order, bar, strict=True))
    compared, broken = [], []
    drawn: dict[tuple[str, str], list[Batches | None]] = {}
    for place, (case, utilisation) in enumerate(cells):
        runs = [done[place * REPLICATIONS + r] for r in range(REPLICATIONS)]
        broken += [f"{case.name} at {utilisation}: {run}" for run in runs if isinstance(run, str)]
        sound = [run for run in runs if isinstance(run, Batches)]
        compared += list(_compare(case, utilisation, sound if len(sound) == REPLICATIONS else None))
        for name in _drawn(case):
            drawn.setdefault(name, []).extend(run if isinstance(run, Batches) else None for run in runs)
    compared += [_pooled(law, quantity, runs) for (law, quantity), runs in drawn.items()]
    confidence = 1 - (1 - CONFIDENCE) / max(len(compared), 1)
    return Validation([_row(each, confidence, 1 / math.sqrt(share)) for each in compared], broken)


def _requests(case: Case, utilisation: float, share: float) -> int:
    nearest = min(range(len(UTILISATIONS)), key=lambda i: abs(UTILISATIONS[i] - utilisation))
    return max(round(case.requests[nearest] * share / REPLICATIONS), 1000)


def _numbered(number: int, utilisation: float, replication: int, seed: int, share: float) -> Batches | str:
    return _simulated(CASES[number], utilisation, replication, seed, share)


def _simulated(case: Case, utilisation: float, replication: int, seed: int, share: float) -> Batches | str:
    """One replication: its batches, or which law the engine broke."""
    name = f"{seed}/{case.name}/{utilisation}/{replication}"
    own_seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "little")
    requests, asking = _requests(case, utilisation, share), case.asking(utilisation)
    if case.sources is None:
        world = poisson(case.cloud, asking, requests, own_seed, case.patience_s)
    else:
        world = closed(case.cloud, case.sources, 1 / asking, requests)
    try:
        result = simulate(world, own_seed)
    except (LedgerError, StalledError) as error:
        return str(error)
    rate, think_s = (asking, None) if case.sources is None else (None, 1 / asking)
    log = result.requests
    end = requests / asking if case.sources is None else float(log.groupby("device")["sent_s"].max().min())
    edges = np.linspace(KEPT[0] * end, KEPT[1] * end, BATCHES + 1)
    found = batches(log, case.load, case.servers, rate, think_s, edges)
    return replace(found, sums={**found.sums, "shown": _shown(result.series, edges)})


def _shown(series: pd.DataFrame, edges: FloatArray) -> FloatArray:
    """[batches] requests present by a run's series, times seconds; as if the same all through each of its windows."""
    present = (series["waiting"] + series["in_work"]) * (series["until_s"] - series["from_s"])
    return np.diff(np.interp(edges, np.append(0.0, series["until_s"]), np.append(0.0, np.cumsum(present))))


def _compare(case: Case, utilisation: float, runs: list[Batches] | None) -> Iterator[_Compared]:
    theory = case.theory(case.asking(utilisation))
    names = [*case.compared, "utilisation", "worked_on", "little"]
    if runs is None:
        for name in names:
            yield _Compared(case.name, utilisation, name, _EXACT.get(name, getattr(theory, name, math.nan)), None)
        return
    sums = {name: np.concatenate([run.sums[name] for run in runs]) for name in runs[0].sums}
    controls = np.concatenate([run.controls for run in runs])
    for name, (over, under) in case.compared.items():
        estimate = ratio(sums[over], sums[under], controls)
        yield _Compared(case.name, utilisation, name, getattr(theory, name), estimate)
    busy = ratio(sums["busy"], sums["span"] * case.servers)
    yield _Compared(case.name, utilisation, "utilisation", theory.utilisation, busy)
    # A server that lets one in a thousand go without work shifts the means less than chance does.
    yield _Compared(case.name, utilisation, "worked_on", _EXACT["worked_on"], ratio(sums["worked_on"], sums["done"]))
    # Little's law: number present over time, as the series shows it, = rate of arrivals x mean stay, from the log.
    flow = float(sums["stayed"].sum() / sums["span"].sum())
    apart = ratio(sums["shown"] - sums["stayed"], sums["span"])
    yield _Compared(case.name, utilisation, "little", flow, replace(apart, mean=apart.mean + flow))


def _drawn(case: Case) -> list[tuple[str, str]]:
    """(law, quantity) of all that its runs draw."""
    asks = ("Poisson", "arrivals") if case.sources is None else ("lognormal", "mean_think")
    return [(f"all {case.law}", "mean_service"), (f"all {asks[0]}", asks[1])]


def _pooled(law: str, quantity: str, runs: list[Batches | None]) -> _Compared:
    """All that was drawn by a law, in every run, over what it is in the mean."""
    sound = [run for run in runs if run is not None]
    if len(sound) < len(runs):
        return _Compared(law, None, quantity, 1.0, None)
    over, under = (np.concatenate([run.sums[name] for run in sound]) for name in POOLED[quantity])
    return _Compared(law, None, quantity, 1.0, ratio(over, under))


def _row(compared: _Compared, confidence: float, slack: float) -> Row:
    theory, estimate = compared.theory, compared.estimate
    what = (compared.case, compared.utilisation, compared.quantity, theory)
    if estimate is None:
        return Row(*what, None, None, None, None, False)
    low, high = estimate.interval(confidence)
    error = abs(estimate.mean - theory) / theory
    within = low <= theory <= high and error <= tolerance(compared.utilisation) * slack
    return Row(*what, estimate.mean, low, high, error, bool(within))
