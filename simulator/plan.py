"""The cheapest cloud and threshold that keep the objective: an estimate narrows the search, the simulation decides.

1. Every point is run once in a cloud with replicas to spare. That tells its requests a second, and the accuracy that no
   smaller cloud can beat: a point below the accuracy asked for is out.
2. Queueing theory (Erlang C, each replica at the rate of its best batch) guesses how many replicas keep the latency.
3. From there a few replications a step find the fewest that do, point by point, the cheapest guess first.
4. The cheapest is confirmed on `CONFIRMATIONS` replications of another seed: all must hold, and a further one must hold
   with 99% chance (one-sided normal tolerance bound, 95% confidence; Hahn & Meeker, Statistical Intervals, 1991). Where
   it is not, a replica more is tried, and then the next cheapest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from analysis.errors import UnstableError
from analysis.queueing import erlang_c
from scenarios.errors import ScenarioError
from scenarios.schema.capacity import FixedReplicas
from scenarios.schema.cloud import Cloud
from scenarios.schema.objective import Objective
from scenarios.schema.queueing import StaticBatching
from simulator.cells import replication_seed
from simulator.policies import AnyScenario
from simulator.policies.base import Point
from simulator.preparation import Experiment
from simulator.trial import attempt, attempts, tabled, world_of

SCREENED = 3
"""Replications at each step of the search."""
CONFIRMATIONS = 20
CONTENT, CONFIDENCE = 0.99, 0.95
OTHER_SEED = 1
"""Added to the scenario's seed, so that a plan is not confirmed on what it was chosen by."""
BUSIEST_S = 60.0
"""Requests are counted over so long where the rate is highest."""

KEEPS = {
    "p95_latency_s": ("latency_p95_s", 1.0),
    "failed_share": ("failed_share", 1.0),
    "ndcg_at_10": ("ndcg_at_10", -1.0),
    "usd_per_1000_interactions": ("usd_per_1000_interactions", 1.0),
}
"""Objective to what is measured of a replication, and the sign with which less of it is better."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Sized:
    """A point with a number of replicas, and what its replications measured."""

    point: Point
    replicas: int
    measured: pd.DataFrame = field(repr=False)

    def mean(self, name: str) -> float:
        """Of the replications that have a value."""
        return float(self.measured[name].mean())

    @cached_property
    def usd(self) -> float:
        """Dollars per 1,000 interactions."""
        return self.mean("usd_per_1000_interactions")


@dataclass(frozen=True)
class Plan:
    """chosen: None where nothing keeps the objective. rows: everything that was tried, in order, for people to read."""

    objective: Objective
    chosen: Sized | None
    rows: pd.DataFrame


def plan(experiment: Experiment, most: int, say: Say) -> Plan:
    """Find the cheapest of up to `most` replicas and of the sweep's points. Raises `ScenarioError`.

    Fewer replicas than the scenario has crash or brown out one by one are not tried: what befalls one that is not there
    would befall none, and the plan would be for a better world.
    """
    return _Search(experiment, most, say).run()


def broken(measured: pd.DataFrame, objective: Objective) -> list[str]:
    """Which parts of the objective some replication leaves."""
    found = []
    for name, (column, sign) in KEEPS.items():
        limit = getattr(objective, name)
        # A latency that nobody has is none: nothing was answered, so nothing was late.
        if limit is not None and bool((sign * (measured[column] - limit) > 0).any()):
            found.append(name)
    return found


def doubtful(measured: pd.DataFrame, objective: Objective) -> list[str]:
    """Which parts of the objective a further replication may leave with a chance of more than 1%."""
    n = len(measured)
    factor = float(stats.nct.ppf(CONFIDENCE, n - 1, stats.norm.ppf(CONTENT) * math.sqrt(n))) / math.sqrt(n)
    found = []
    for name, (column, sign) in KEEPS.items():
        limit = getattr(objective, name)
        if limit is None:
            continue
        values = sign * measured[column].dropna()
        if len(values) > 1 and values.mean() + factor * values.std(ddof=1) > sign * limit:
            found.append(name)
    return found


def guess(cloud: Cloud, rate: float, network_s: float, objective: Objective, most: int) -> int:
    """The fewest replicas of which Erlang C says that they keep the latency at `rate` requests a second; or `most`."""
    fastest, alone = _service(cloud)
    for replicas in range(1, most + 1):
        spare = replicas * fastest - rate
        if spare <= 0:
            continue
        if objective.p95_latency_s is None or rate == 0:
            return replicas
        try:
            waiting = erlang_c(rate / fastest, replicas)
        except UnstableError:
            continue
        wait = max(math.log(waiting / 0.05) / spare, 0.0) if waiting > 0 else 0.0
        if wait + alone + network_s <= objective.p95_latency_s:
            return replicas
    return most


def _service(cloud: Cloud) -> tuple[float, float]:
    """(requests a second of a replica at its best batch, seconds that one request takes by itself)."""
    table = {size: ms / 1000 for size, ms in cloud.service.milliseconds.items()}
    if isinstance(cloud.batching, StaticBatching):
        sizes = [size for size in table if size <= cloud.batching.max_size]
        return max(size / table[size] for size in sizes), table[min(table)] + cloud.batching.max_wait_ms / 1000
    tokens = cloud.tokens.prompt + cloud.tokens.output
    best = max(size / seconds for size, seconds in table.items())
    return best / max(tokens, 1), table[min(table)] * max(cloud.tokens.output, 1)


class _Search:
    def __init__(self, experiment: Experiment, most: int, say: Say) -> None:
        self.experiment, self.most, self.say = experiment, most, say
        self.scenario: AnyScenario = experiment.scenario
        self.objective = self.scenario.objective
        self.rows: list[dict[str, object]] = []
        if not isinstance(self.scenario.cloud.scaling, FixedReplicas):
            raise ScenarioError("cloud.scaling: plan looks for a fixed number of replicas, expected {kind: none}")
        if all(value is None for value in self.objective.model_dump().values()):
            raise ScenarioError(
                "objective: nothing is asked for, expected a bound, such as --set objective.p95_latency_s=1"
            )
        self.least = self.scenario.cloud.fewest_replicas
        if most < self.least:
            raise ScenarioError(
                f"cloud: crashes or brownouts have one of replica {self.least - 1}, so {self.least} replicas are the "
                f"fewest, but {most} the most that may be had"
            )
        experiment.rehearse()

    def run(self) -> Plan:
        if self.least > 1:
            self._skip(self.least - 1)
        starts = []
        for point in self.experiment.points:
            spare, rate, network_s = self._with_replicas_to_spare(point)
            best, wanted = float(spare.measured["ndcg_at_10"].max()), self.objective.ndcg_at_10
            out = wanted is not None and best < wanted
            self._note("replicas to spare", spare, "out: accuracy" if out else f"{rate:.3g} requests/s at most")
            if not out:
                guessed = guess(self.scenario.cloud, rate, network_s, self.objective, self.most)
                replicas = max(guessed, self.least)
                starts.append((self._cost(spare, replicas), replicas, point))
        fewest = [self._fewest(point, replicas) for _, replicas, point in sorted(starts, key=lambda each: each[:2])]
        waiting = sorted((each for each in fewest if each is not None), key=lambda each: (each.usd, each.replicas))
        while waiting:
            candidate = waiting.pop(0)
            confirmed = self._measure(candidate.point, candidate.replicas, CONFIRMATIONS, OTHER_SEED)
            left = broken(confirmed.measured, self.objective) or doubtful(confirmed.measured, self.objective)
            self._note(
                f"{CONFIRMATIONS} fresh replications", confirmed, f"leaves {', '.join(left)}" if left else "keeps"
            )
            if not left:
                return Plan(self.objective, confirmed, self._table())
            if candidate.replicas < self.most and not {"ndcg_at_10", "usd_per_1000_interactions"} >= set(left):
                more = self._measure(candidate.point, candidate.replicas + 1, SCREENED)
                waiting = sorted([*waiting, more], key=lambda each: (each.usd, each.replicas))
        return Plan(self.objective, None, self._table())

    def _fewest(self, point: Point, replicas: int) -> Sized | None:
        """The fewest replicas that keep the objective in all screened replications, near the guess; None where none."""
        found = self._screened(point, replicas)
        if found is not None:
            while replicas > self.least:
                fewer = self._screened(point, replicas - 1)
                if fewer is None:
                    return found
                found, replicas = fewer, replicas - 1
            return found
        low, step = replicas, 1
        while low < self.most:  # doubling steps up, then down by halves
            high = min(low + step, self.most)
            found = self._screened(point, high)
            if found is not None:
                while high - low > 1:
                    middle = (low + high) // 2
                    tried = self._screened(point, middle)
                    low, high, found = (low, middle, tried) if tried is not None else (middle, high, found)
                return found
            low, step = high, 2 * step
        return None

    def _screened(self, point: Point, replicas: int) -> Sized | None:
        sized = self._measure(point, replicas, SCREENED)
        left = broken(sized.measured, self.objective)
        self._note(f"{SCREENED} replications", sized, f"leaves {', '.join(left)}" if left else "keeps")
        return None if left else sized

    def _measure(self, point: Point, replicas: int, replications: int, other: int = 0) -> Sized:
        scenario = self._sized(replicas)
        world = world_of(self.experiment, scenario)
        table = attempts(self.experiment, world, point, range(replications), scenario.seed + other)
        return Sized(point, replicas, table)

    def _with_replicas_to_spare(self, point: Point) -> tuple[Sized, float, float]:
        """What no smaller cloud can beat, the highest rate of requests, and the network's share of the p95."""
        world = world_of(self.experiment, self._sized(self.most))
        seeds = [replication_seed(self.scenario.seed, r) for r in range(SCREENED)]
        runs = [attempt(self.experiment, world, point, seed) for seed in seeds]
        sized = Sized(point, self.most, tabled([summary for summary, _ in runs]))
        log = runs[0][1].requests
        arrived = np.sort(log["arrived_s"].dropna().to_numpy(float))
        if not len(arrived):
            return sized, 0.0, 0.0
        per_window = np.bincount((arrived / BUSIEST_S).astype(np.int64))
        answered = log[log["status"] == "answered"]
        on_the_way = (answered["arrived_s"] - answered["intended_s"]) + (
            answered["answered_s"] - answered["finished_s"]
        )
        network_s = float(on_the_way.quantile(0.95)) if len(answered) else 0.0
        return sized, float(per_window.max()) / BUSIEST_S, network_s

    def _sized(self, replicas: int) -> AnyScenario:
        cloud = Cloud.model_validate({**self.scenario.cloud.model_dump(), "replicas": replicas})
        return self.scenario.model_copy(update={"cloud": cloud})

    def _cost(self, spare: Sized, replicas: int) -> float:
        """Dollars per 1,000 interactions that so many replicas will about cost."""
        return spare.usd * (replicas / self.most if self.scenario.cloud.billed == "provisioned" else 1)

    def _skip(self, replicas: int) -> None:
        """Note that so many replicas, and fewer, cannot be tried."""
        verdict = f"cannot be tried: crashes or brownouts have one of replica {replicas}"
        row = dict.fromkeys(("step", "policy", "parameter", "replicas", *(column for column, _ in KEEPS.values())))
        self.rows.append({**row, "step": "left out", "replicas": replicas, "verdict": verdict})
        self.say(f"up to {replicas} replicas {verdict}")

    def _note(self, step: str, sized: Sized, verdict: str) -> None:
        row: dict[str, object] = {
            "step": step,
            "policy": sized.point.name,
            "parameter": sized.point.parameter,
            "replicas": sized.replicas,
            **{column: sized.mean(column) for column, _ in KEEPS.values()},
            "verdict": verdict,
        }
        self.rows.append(row)
        parameter = "" if sized.point.parameter is None else f" {sized.point.parameter:.4g}"
        self.say(f"{sized.point.name}{parameter}, {sized.replicas} replicas, {step}: {verdict}")

    def _table(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows)
