"""Until the cloud breaks: points x load x settings, and the cliff of each, the load at which it leaves the objective.

Loads rise over a coarse grid; between the last that keeps the objective and the first that does not, bisection (of the
logarithm) narrows the cliff down. All loads meet the same replications, so that the answer of one is comparable to that
of the next. A point's state is read off the data: *overloaded* where the queue grows beyond what chance explains or
requests are turned away (`analysis.settle`), else *backlogged* where the objective is left, else *stable*.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import pandas as pd
from scipy import stats
from tqdm import tqdm

from scenarios.errors import UserError
from scenarios.schema.objective import Objective
from simulator.policies import AnyScenario
from simulator.policies.base import Point
from simulator.preparation import Experiment
from simulator.spread import Failure, Here, Spread
from simulator.trial import attempts, world_of

LOADS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Times the devices of the scenario."""
DEFAULT = Objective(p95_latency_s=1.0, failed_share=0.01)
"""For a scenario that says of neither: answers within a second read as one flow of thought (Nielsen, Usability
Engineering, 1993, ch. 5); one failure in a hundred is what `analysis.settle` tolerates."""


@dataclass(frozen=True)
class Probe:
    """One point in one setting under one load, over the scenario's replications.

    load: times the devices of the scenario. Means of the replications' values; p95_low, p95_high: their 95% interval
    by Student's t, NaN where an overloaded queue has no steady state to be near, or where there is one replication.
    """

    setting: str
    policy: str
    parameter: float | None
    load: float
    devices: int
    state: str
    holds: bool
    p95_latency_s: float
    p95_low: float
    p95_high: float
    failed_share: float
    requests_per_interaction: float
    utilisation: float
    ndcg_at_10: float
    usd_per_1000_interactions: float


@dataclass(frozen=True)
class Cliff:
    """The objective held at load `held` (0: at none that was tried) and not at `left` (infinite: at all)."""

    setting: str
    policy: str
    parameter: float | None
    held: float
    left: float
    gives_way: str

    @property
    def load(self) -> float:
        """The middle of the two, of their logarithms."""
        return math.sqrt(self.held * self.left)


@dataclass(frozen=True)
class Stress:
    """All probes and cliffs."""

    probes: list[Probe]
    cliffs: list[Cliff]

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """A row a probe, a row a cliff."""
        cliffs = [{**asdict(cliff), "load": cliff.load} for cliff in self.cliffs]
        return pd.DataFrame([asdict(probe) for probe in self.probes]), pd.DataFrame(cliffs)


def search(holds: Callable[[float], bool], loads: Sequence[float], tolerance: float) -> tuple[float, float]:
    """(last load that holds, first that does not), at most `tolerance` apart as a share of the first of the two.

    Looks at every one of `loads`, rising; (0, lowest) where none holds, (highest, infinity) where all do.
    """
    verdicts = [holds(load) for load in loads]
    if all(verdicts):
        return loads[-1], math.inf
    first = verdicts.index(False)
    if first == 0:
        return 0.0, loads[0]
    held, left = loads[first - 1], loads[first]
    while left > held * (1 + tolerance):
        middle = math.sqrt(held * left)
        held, left = (middle, left) if holds(middle) else (held, middle)
    return held, left


def objective_of(scenario: AnyScenario) -> Objective:
    """What latency and failures are held against: the scenario's own word, or `DEFAULT` where it says of neither."""
    own = scenario.objective
    return DEFAULT if own.p95_latency_s is None and own.failed_share is None else own


def gives_way(table: pd.DataFrame, objective: Objective) -> str:
    """Which part of the objective the replications leave on the average: "latency", "failures", or nothing."""
    p95 = float(table["latency_p95_ms"].mean()) / 1000
    if objective.failed_share is not None and float(table["failed_share"].mean()) > objective.failed_share:
        return "failures"
    if objective.p95_latency_s is not None and p95 > objective.p95_latency_s:  # false where nothing was answered
        return "latency"
    return ""


def probe(experiment: Experiment, scenario: AnyScenario, setting: str, point: Point, load: float) -> tuple[Probe, str]:
    """The point under this load, and what of the objective gives way."""
    world = world_of(experiment, scenario, load)
    table = attempts(experiment, world, point, range(scenario.sweep.replications))
    way = gives_way(table, objective_of(scenario))
    overloaded = not table["settled"].all()
    p95 = table["latency_p95_ms"].dropna().to_numpy(float) / 1000
    low = high = math.nan
    if not overloaded and len(p95) > 1:
        half = float(stats.t.ppf(0.975, len(p95) - 1) * p95.std(ddof=1) / math.sqrt(len(p95)))
        low, high = p95.mean() - half, p95.mean() + half
    found = Probe(
        setting=setting,
        policy=point.name,
        parameter=point.parameter,
        load=load,
        devices=world.devices,
        state="overloaded" if overloaded else "backlogged" if way else "stable",
        holds=not way,
        p95_latency_s=float(p95.mean()) if len(p95) else math.nan,
        p95_low=low,
        p95_high=high,
        **{
            name: float(table[name].mean())
            for name in (
                "failed_share",
                "requests_per_interaction",
                "utilisation",
                "ndcg_at_10",
                "usd_per_1000_interactions",
            )
        },
    )
    return found, way


def cliff(
    experiment: Experiment, scenario: AnyScenario, setting: str, point: Point, loads: Sequence[float], tolerance: float
) -> tuple[list[Probe], Cliff]:
    """The probes on the way to a point's cliff in a setting, and the cliff."""
    probes: dict[float, Probe] = {}
    ways: dict[float, str] = {}

    def holds(load: float) -> bool:
        probes[load], ways[load] = probe(experiment, scenario, setting, point, load)
        return not ways[load]

    held, left = search(holds, loads, tolerance)
    found = Cliff(setting, point.name, point.parameter, held, left, ways.get(left, ""))
    return [probes[load] for load in sorted(probes)], found


def stress(
    experiment: Experiment,
    variants: Sequence[tuple[str, AnyScenario]],
    loads: Sequence[float] = LOADS,
    tolerance: float = 0.05,
    spread: Spread | None = None,
    silent: bool = True,
) -> Iterator[tuple[list[Probe], Cliff]]:
    """Every point of the sweep in every variant, (name of the setting, scenario), each as it is done.

    spread: where cliffs are looked for, one after the other where absent. Raises `UserError` once all were tried, if
    the search for some came to nothing.
    """
    experiment.rehearse()
    pieces = [(variant, point) for variant in range(len(variants)) for point in range(len(experiment.points))]
    work = partial(_one, loads=tuple(loads), tolerance=tolerance)
    each = (spread or Here()).each(work, (experiment, tuple(variants)), pieces)
    failed = []
    for piece, back in tqdm(each, "looking for cliffs", total=len(pieces), unit=" cliffs", leave=False, disable=silent):
        if isinstance(back, Failure):
            failed.append(f"{variants[piece[0]][0]} {experiment.points[piece[1]].name}: {back.why}".strip())
        else:
            yield back
    if failed:
        raise UserError("\n".join([f"{len(failed)} of {len(pieces)} cliffs were not found:", *failed]))


def _one(
    shared: tuple[Experiment, tuple[tuple[str, AnyScenario], ...]],
    piece: tuple[int, int],
    loads: Sequence[float],
    tolerance: float,
) -> tuple[list[Probe], Cliff]:
    experiment, variants = shared
    name, scenario = variants[piece[0]]
    return cliff(experiment, scenario, name, experiment.points[piece[1]], loads, tolerance)
