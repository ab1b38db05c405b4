"""Load that rises and falls again: does a service that broke at some load recover at the same load?

The first sessions of devices come in stairs up and down, around a point's cliff. Where a stair on the way down fails
clearly more than its twin on the way up, the service has two states at one load: the overload outlives its cause
(metastable failure; Bronson et al., HotOS 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from scenarios.errors import ScenarioError
from scenarios.schema.data import DrawnPace, Surge
from simulator.cells import replication_seed
from simulator.outcomes import FloatArray
from simulator.policies import AnyScenario
from simulator.policies.base import Point
from simulator.preparation import Experiment
from simulator.trial import attempt, world_of

STAIRS = (0.5, 0.75, 1.0, 1.25, 1.5, 1.25, 1.0, 0.75, 0.5)
"""Times the load of the cliff, one after the other, each for the same time."""
CLEARLY = 0.05
"""Failures that a stair down must have more than its twin, as a share of requests, beyond what chance explains."""


@dataclass(frozen=True)
class Stairs:
    """failing: [replications, stairs] share of the requests sent in each that failed, NaN where none was sent."""

    setting: str
    policy: str
    parameter: float | None
    failing: FloatArray

    @property
    def gap(self) -> float:
        """The largest clear excess of a stair down over its twin up; 0 where none is clear."""
        return max(self.excess(up) for up in range(len(STAIRS) // 2))

    def excess(self, up: int) -> float:
        """By how much this stair's twin on the way down fails more; 0 where that is not clear (95%, Student's t)."""
        excess = self.failing[:, len(STAIRS) - 1 - up] - self.failing[:, up]
        excess = excess[~np.isnan(excess)]
        if len(excess) < 2:
            return 0.0
        half = float(stats.t.ppf(0.95, len(excess) - 1) * excess.std(ddof=1) / np.sqrt(len(excess)))
        return float(excess.mean()) if excess.mean() - half > 0 and excess.mean() > CLEARLY else 0.0

    def table(self) -> pd.DataFrame:
        """A row a stair: its place, its load, whether it lies behind the top, the mean share that failed."""
        place = np.arange(len(STAIRS))
        table = pd.DataFrame(
            {
                "setting": self.setting,
                "policy": self.policy,
                "parameter": np.nan if self.parameter is None else self.parameter,
                "stair": place,
                "of_cliff": STAIRS,
                "down": place > len(STAIRS) // 2,
            }
        )
        counted = ~np.isnan(self.failing)
        total = np.where(counted, self.failing, 0).sum(0)
        return table.assign(failed_share=np.where(counted.any(0), total / np.maximum(counted.sum(0), 1), np.nan))


def climb(experiment: Experiment, scenario: AnyScenario, setting: str, point: Point, load: float) -> Stairs:
    """Run the stairs around `load`. Raises `ScenarioError` for a pace that is not drawn."""
    pace = scenario.data.pace
    if not isinstance(pace, DrawnPace) or not pace.start_spread_s:
        raise ScenarioError(
            "data.pace: recorded, or without a start spread; load goes up and down by surges of a drawn one"
        )
    edges = np.linspace(0, pace.start_spread_s, len(STAIRS) + 1)
    surges = tuple(
        Surge(from_s=float(since), until_s=float(until), factor=factor)
        for since, until, factor in zip(edges[:-1], edges[1:], STAIRS, strict=True)
    )
    stepped = scenario.model_copy(
        update={"data": scenario.data.model_copy(update={"pace": pace.model_copy(update={"surges": surges})})}
    )
    world = world_of(experiment, stepped, load * float(np.mean(STAIRS)))
    rows = []
    for replication in range(max(scenario.sweep.replications, 2)):
        _, result = attempt(experiment, world, point, replication_seed(experiment.scenario.seed, replication))
        rows.append(failing(result.requests, edges))
    return Stairs(setting, point.name, point.parameter, np.stack(rows))


def failing(requests: pd.DataFrame, edges: FloatArray | Sequence[float]) -> FloatArray:
    """[len(edges) - 1] share of the attempts sent between two edges that failed; NaN where none was sent."""
    stair = np.searchsorted(np.asarray(edges), requests["sent_s"].to_numpy(float), side="right") - 1
    within = (stair >= 0) & (stair < len(edges) - 1)
    failed = requests["status"].isin(["rejected", "timed_out", "lost"]).to_numpy(float)
    sent = np.bincount(stair[within], minlength=len(edges) - 1)
    bad = np.bincount(stair[within], weights=failed[within], minlength=len(edges) - 1)
    return np.where(sent > 0, bad / np.maximum(sent, 1), np.nan)
