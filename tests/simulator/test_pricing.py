"""A price rises under load and nowhere else, and falls as it rose; what it steers holds a service to its objective."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import outcomes, policy, world

from scenarios.schema.pricing import BacklogPricing, RatePricing
from simulator.clock import SECOND
from simulator.cloud.pricing import CEILING, BacklogPrice, RatePrice
from simulator.payload import PRICE_BYTES
from simulator.rehearse import rehearse
from simulator.run import Result, run
from simulator.world import World

GAPS = st.lists(st.floats(0, 2), min_size=1, max_size=60)


@given(GAPS, st.floats(0.5, 20))
@settings(max_examples=100, deadline=None)
def test_a_price_of_the_rate_is_the_backlog_of_a_queue_that_drains_at_the_target(
    gaps: list[float], rate: float
) -> None:
    """Reich's formula: the most, over all stretches that end now, by which arrivals exceed what could leave."""
    price, ticks = RatePrice(RatePricing(target_per_s=rate, settle_s=100.0)), np.cumsum(gaps) * SECOND
    for i, tick in enumerate(ticks.astype(int).tolist()):
        price.arrived(tick)
        ends = (np.arange(i + 1, 0, -1) / rate - (tick - ticks[: i + 1].astype(int)) / SECOND) / 100
        assert price.price(tick) == pytest.approx(min(max(ends.max(), 0), CEILING), abs=1e-9)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 100)), min_size=1, max_size=60), st.floats(1, 50))
@settings(max_examples=100, deadline=None)
def test_a_price_of_the_backlog_is_zero_until_the_target_is_passed(
    looks: list[tuple[float, float]], target: float
) -> None:
    load, now, passed = 0.0, 0, False
    price = BacklogPrice(BacklogPricing(target=target, settle_s=5), lambda: load)
    for gap, load in looks:
        now += round(gap * SECOND)
        passed |= load > target
        found = price.price(now)
        assert 0 <= found <= CEILING
        assert passed or not found
        assert load <= target or found > 0


def test_a_lasting_backlog_costs_ever_more_and_is_forgotten_as_fast() -> None:
    load = 16.0
    price = BacklogPrice(BacklogPricing(target=8, settle_s=10), lambda: load)
    price.arrived(0)
    assert [price.price(s * SECOND) for s in (0, 10, 20, 1000)] == pytest.approx([1.0, 2.0, 3.0, CEILING])
    load = 8.0
    price.arrived(1000 * SECOND)
    assert price.price(1000 * SECOND) == pytest.approx(CEILING)  # the integral stays while the target is met
    load = 0.0
    price.arrived(1000 * SECOND)
    assert price.price(int(1000 + 10 * CEILING) * SECOND) == 0


def result(w: World, kind: str, seed: int = 1, **keys: Any) -> Result:
    p = policy(kind, **keys)
    return run(w, p, seed, rehearse(w, [p], seed, outcomes(w)))


def test_every_reply_is_heavier_by_its_price() -> None:
    told, silent = ({"queue_limit": 2, "pricing": pricing} for pricing in ({"kind": "backlog"}, {"kind": "none"}))
    network = {"loss": 0.2}
    a, b = (result(world([60] * 5, network=network, cloud=cloud), "always").requests for cloud in (told, silent))
    replied = b["finished_s"].notna() | b["left_s"].notna()
    assert ((a["downlink_bytes"] - b["downlink_bytes"])[replied] == PRICE_BYTES).all()
    assert (a["downlink_bytes"] == b["downlink_bytes"])[~replied].all()


OBJECTIVE_S = 2.5
SERVED = {"batching": {"max_size": 1}, "service": {"milliseconds": {1: 330}}, "queue_limit": 50}


def crowd(**cloud: Any) -> World:
    """The scenario flash-crowd with 300 phones and a thirtieth of its cloud, which answers one at a time."""
    surge = {"from_s": 900, "until_s": 1200, "factor": 5}
    pace = {"kind": "drawn", "session_length": 1000, "start_spread_s": 2400, "surges": [surge]}
    fleet = {"devices": 300, "interactions": 30, "horizon_s": 3000}
    return world([30] * 300, pace=pace, fleet=fleet, cloud={**SERVED, **cloud})


def crash(**cloud: Any) -> World:
    """The scenario replica-crash with 500 phones and a thirtieth of its cloud, which answers one at a time."""
    pace = {"kind": "drawn", "session_length": 1000, "start_spread_s": 2400}
    fleet = {"devices": 500, "interactions": 30, "horizon_s": 2400}
    crashes = [{"kind": "scheduled", "replica": 0, "from_s": 1200, "until_s": 1500}]
    return world([30] * 500, pace=pace, fleet=fleet, cloud={**SERVED, "replicas": 2, "crashes": crashes, **cloud})


@pytest.mark.parametrize("trouble", [crowd, crash])
def test_prices_keep_the_objective_where_fixed_thresholds_overload(trouble: Any) -> None:
    """And lists are no older for it: what is not asked in vain is answered."""

    def judged(r: Result) -> tuple[float, float, float]:
        q = r.requests
        waits = (q["answered_s"] - q["intended_s"])[q["status"] == "answered"]
        failed = q["status"].isin(["rejected", "timed_out", "lost"]).mean()
        return float(waits.quantile(0.95)), float(failed), float(r.devices["staleness"].sum() / r.devices["held"].sum())

    calm = {"pricing": {"kind": "backlog", "target": 2}}
    fixed, fixed_fails, fixed_age = judged(result(trouble(), "footrule", threshold=1.0))
    priced, priced_fails, priced_age = judged(result(trouble(**calm), "priced", threshold=1.0))
    assert fixed > OBJECTIVE_S
    assert priced < OBJECTIVE_S
    assert priced_fails < 0.01 < fixed_fails
    assert priced_age < fixed_age


def test_a_price_of_the_rate_steers_all_devices_together_to_the_target() -> None:
    """The whole fleet's rate, although no device knows of another; without a price it is half as high again."""
    free, steered = (
        result(crowd(replicas=3, **pricing), "priced", threshold=1.0).requests["arrived_s"]
        for pricing in ({}, {"pricing": {"kind": "rate", "target_per_s": 2.0}})
    )
    rates = [((arrived >= 1200) & (arrived < 1500)).sum() / 300 for arrived in (free, steered)]
    assert rates[0] > 3.0
    assert rates[1] == pytest.approx(2.0, rel=0.1)
