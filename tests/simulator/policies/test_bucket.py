"""A bucket bounds any rule: over any stretch, no more requests than tokens; and it keeps none back that it need not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from troubles import rough_worlds
from worlds import FAMILY, outcomes, policy, world, worlds

from scenarios.errors import ScenarioError
from simulator.rehearse import rehearse
from simulator.run import Result, run
from simulator.world import World

RULES = st.sampled_from([{"kind": "always"}, {"kind": "random", "probability": 0.5}, {"kind": "tracker", "rate": 0.5}])


def result(w: World, seed: int = 1, **keys: Any) -> Result:
    p = policy("bucket", **keys)
    return run(w, p, seed, rehearse(w, [p], seed, outcomes(w)))


@given(worlds() | rough_worlds(), RULES, st.sampled_from([0.05, 0.3, 0.5, 1.0]), st.integers(1, 4))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_stretch_of_interactions_has_more_requests_than_tokens(
    w: World, rule: dict[str, Any], rate: float, burst: int
) -> None:
    asked = result(w, rule=rule, per_interaction=rate, burst=burst).requests
    for _, steps in asked[asked["attempt"] == 1].groupby("device")["step"]:
        number = np.arange(1, len(steps) + 1)
        spare = rate * steps.to_numpy() - number  # tokens that came less those taken, up to each request
        assert (np.maximum.accumulate(spare) - spare < burst + 1e-9).all()


@given(worlds() | rough_worlds(), RULES, st.sampled_from([600.0, 36_000.0]), st.integers(1, 4))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_stretch_of_time_has_more_requests_than_tokens(
    w: World, rule: dict[str, Any], rate: float, burst: int
) -> None:
    asked = result(w, rule=rule, per_hour=rate, burst=burst).requests
    for _, sent in asked[asked["attempt"] == 1].groupby("device")["sent_s"]:
        number = np.arange(1, len(sent) + 1)
        spare = rate / 3600 * sent.to_numpy() - number
        assert (np.maximum.accumulate(spare) - spare < burst + 1e-6).all()


@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_every_token_is_there_when_it_is_wanted(interactions: int, period: int, burst: int) -> None:
    w = world([interactions], pace={"kind": "drawn", "think_time_s": 100})
    asked = result(w, rule={"kind": "always"}, per_interaction=1 / period, burst=burst).requests
    assert len(asked) == min(interactions, burst + (interactions - 1) // period)


def test_a_bucket_asks_nowhere_else_than_its_rule() -> None:
    w = world([200], pace={"kind": "drawn", "think_time_s": 100})
    asked = result(w, rule={"kind": "periodic", "every": 7}, per_interaction=0.5).requests["step"]
    assert asked.tolist() == list(range(0, 200, 7))


def test_the_points_are_the_rates_and_the_rule_has_one_value() -> None:
    inside = {"kind": "footrule", "quantile": [0.5, 0.9]}
    one = FAMILY.validate_python({"kind": "bucket", "rule": {"kind": "always"}, "per_hour": [60, 6]})
    assert [(p.name, p.parameter) for p in one.points(lambda _: np.arange(9.0))] == [
        ("always-bucket", 6.0),
        ("always-bucket", 60.0),
    ]
    many = FAMILY.validate_python({"kind": "bucket", "rule": inside, "per_interaction": 0.1})
    with pytest.raises(ScenarioError, match="the rule footrule has 2 values, expected one"):
        many.points(lambda _: np.arange(9.0))
