"""The stress scenarios teach what their files say they do, also at a fraction of their size.

A world a twentieth as large has a twentieth of the devices, of the server's speed and of the queue's length, so that
what a queue holds takes as long, and what a server is asked for is as much of what it can.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from worlds import LIST, outcomes

from scenarios.load import LIBRARY, load
from scenarios.schema import Scenario
from scenarios.schema.service import ServiceTimes
from simulator.policies import AnyPolicy
from simulator.rehearse import rehearse
from simulator.run import Result, run
from simulator.world import World

STREAMS = np.arange(6, 37)
"""Lengths of streams: about those of MovieLens-100K's replay parts, which the scenarios cut at 30."""


@dataclass(frozen=True)
class Told:
    """A run over time, in rates by the second and means."""

    result: Result

    def mean(self, quantity: str, from_s: float, until_s: float) -> float:
        """Of a column of the series; of counts, by the second."""
        series = self.result.series
        part = series[(series["from_s"] >= from_s) & (series["until_s"] <= until_s)]
        values = part[quantity]
        if quantity in ("interactions", "sent", "answered", "failed"):
            return float(values.sum() / (part["until_s"] - part["from_s"]).sum())
        return float(values.mean())

    def share_answered(self, from_s: float, until_s: float) -> float:
        """Of interactions, those that an answer came for, at last."""
        return self.mean("answered", from_s, until_s) / self.mean("interactions", from_s, until_s)


def told(name: str, policy: str, *overrides: str, scale: int = 20) -> Told:
    """Run one point of a scenario, so many times smaller, on outcomes that cost nothing."""
    scenario = load(LIBRARY / f"{name}.yaml", Scenario[AnyPolicy], overrides)
    cloud, fleet = scenario.cloud, scenario.fleet
    slower = ServiceTimes(milliseconds={size: scale * ms for size, ms in cloud.service.milliseconds.items()})
    assert fleet.devices is not None
    assert cloud.queue_limit is not None
    world = World(
        pace=scenario.data.pace,
        fleet=fleet.model_copy(update={"devices": fleet.devices // scale}),
        network=scenario.network,
        cloud=cloud.model_copy(update={"service": slower, "queue_limit": cloud.queue_limit // scale}),
        users=np.arange(len(STREAMS)),
        steps=STREAMS,
        first=np.cumsum(STREAMS) - STREAMS,
        stamps=np.arange(STREAMS.sum(), dtype=np.float64),
        answer_items=LIST,
    )
    (family,) = (each for each in scenario.sweep.policies if each.kind == policy)
    (point,) = family.points(lambda signal: np.zeros(1))
    return Told(run(world, point.policy, 1, rehearse(world, [point.policy], 1, outcomes(world))))


def test_flash_crowd() -> None:
    """For minutes after the crowd nobody who always asks is answered; who asks at every third interaction always is."""
    always, third = told("flash-crowd", "always"), told("flash-crowd", "periodic")
    assert always.share_answered(300, 900) > 0.99
    assert always.share_answered(1200, 1440) < 0.05
    assert always.share_answered(2100, 2700) > 0.99
    assert always.mean("staleness", 1440, 1500) > 5 * third.mean("staleness", 1440, 1500)
    assert third.result.ledger.answered > 0.99 * third.result.ledger.issued
    assert third.mean("latency_p95_s", 1200, 1440) < 2 * third.mean("latency_p95_s", 600, 900)


def test_regional_outage() -> None:
    """The cloud is less busy and no slower, half of the requests fail, lists age, and one answer mends them."""
    run = told("regional-outage", "always")
    before, during, after = (700, 1000), (1100, 1600), (1700, 2300)
    assert run.mean("utilisation", *during) < 0.7 * run.mean("utilisation", *before)
    assert run.mean("latency_p95_s", *during) < 1.1 * run.mean("latency_p95_s", *before)
    assert run.share_answered(*during) == pytest.approx(0.5, abs=0.1)
    assert run.mean("staleness", 1400, 1600) > 3 * run.mean("staleness", *before)
    assert run.mean("staleness", *after) < 1.1 * run.mean("staleness", *before)


def test_replica_crash() -> None:
    """The 95th percentile leaps while one of two is gone and is back soon after; half as many requests do not care."""
    always, half = (told("replica-crash", policy, scale=10) for policy in ("always", "periodic"))
    before, during, after = (900, 1200), (1260, 1500), (1560, 2300)
    assert always.mean("latency_p95_s", *during) > 4 * always.mean("latency_p95_s", *before)
    assert 0.6 < always.share_answered(*during) < 0.85
    assert always.mean("latency_p95_s", *after) < 1.2 * always.mean("latency_p95_s", *before)
    assert always.mean("replicas_up", *during) == 1
    assert half.mean("latency_p95_s", *during) < 2 * half.mean("latency_p95_s", *before)
    assert half.result.ledger.answered > 0.99 * half.result.ledger.issued


def test_retry_storm_outlives_its_cause_by_hysteresis() -> None:
    """At the load that was no trouble before the slow minute nobody is answered after it, until people go home."""
    storm = told("retry-storm", "always")
    assert storm.share_answered(600, 1200) > 0.99
    assert storm.share_answered(1500, 2400) < 0.01
    assert storm.mean("interactions", 1500, 2400) == pytest.approx(storm.mean("interactions", 900, 1200), rel=0.15)
    assert storm.mean("sent", 1500, 2400) > 4 * storm.mean("interactions", 1500, 2400)
    assert storm.mean("interactions", 2880, 3200) < 190 / 20 / 5
    assert storm.share_answered(2880, 3200) > 0.95


@pytest.mark.parametrize(
    "cure", ["fleet.retry.budget.kind=tokens", "cloud.queue_limit=300", "cloud.discipline.kind=lifo"]
)
def test_retry_storm_is_cured(cure: str) -> None:
    healed = told("retry-storm", "always", cure)
    assert healed.share_answered(1200, 1260) < 0.9, "the slow minute is felt all the same"
    assert healed.share_answered(1380, 2400) > 0.98


def test_retry_storm_is_not_cured_by_hearing_of_those_who_give_up() -> None:
    assert told("retry-storm", "always", "cloud.drops_given_up=true").share_answered(1500, 2400) < 0.2


def test_slow_autoscaler() -> None:
    """Late servers mean late answers and refusals, and then more servers, all paid for, than quick ones would be."""
    slow = told("slow-autoscaler", "always", scale=10)
    quick = told("slow-autoscaler", "always", "cloud.scaling.loading_s=20", scale=10)
    assert quick.result.ledger.rejected == 0 < slow.result.ledger.rejected
    assert quick.mean("latency_p95_s", 900, 2100) < 2 * quick.mean("latency_p95_s", 600, 900)
    assert slow.mean("latency_p95_s", 1140, 1260) > 4 * quick.mean("latency_p95_s", 1140, 1260)
    assert slow.result.usd > 1.3 * quick.result.usd
