"""A priced rule is a threshold that rises with the price heard, and falls again while nothing is heard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import FAMILY, policy, worlds
from worlds import outcomes as made_up

from simulator.policies.base import Event, Sight
from simulator.policies.priced import Priced
from simulator.rehearse import rehearse
from simulator.run import run
from simulator.world import World

RULE = Priced("age", 1.0, 2.0, 1.5, 60.0)
SIGNAL = np.linspace(0, 10, 101)


def least(price: float, since: float) -> float:
    """The smallest signal with which a device asks."""

    def ago(event: Event) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        assert event == "priced"
        return np.full(len(SIGNAL), since)

    sight = Sight(np.arange(101), 0, {"age": SIGNAL}, lambda: np.ones(101), (), price, ago)
    return float(SIGNAL[RULE.asks(sight)].min())


def test_a_price_of_one_is_one_unit_of_the_signal_and_halves_in_its_half_life() -> None:
    assert least(0.0, np.inf) == pytest.approx(2.0)
    assert least(2.0, 0.0) == pytest.approx(5.0)
    assert least(2.0, 60.0) == pytest.approx(3.5)
    assert least(2.0, 120.0) == pytest.approx(3.0)


@given(worlds(), st.sampled_from([0.0, 2.0, 5.0, 8.0]), st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_where_the_cloud_tells_no_price_it_is_a_constant_threshold(w: World, threshold: float, seed: int) -> None:
    cloud = w.cloud.model_copy(update={"pricing": type(w.cloud)().pricing})
    w = type(w)(**{**{name: getattr(w, name) for name in w.__dataclass_fields__}, "cloud": cloud})
    both = [policy(kind, threshold=threshold) for kind in ("priced", "footrule")]
    one, other = (run(w, p, seed, rehearse(w, [p], seed, made_up(w))).requests for p in both)
    assert one.equals(other)


def test_the_unit_is_the_deviation_on_the_validation_part() -> None:
    family = FAMILY.validate_python({"kind": "priced", "signal": "age", "quantile": [0.9, 0.5]})
    points = family.points(lambda name: {"age": np.arange(101.0)}[name])
    assert [(p.name, p.parameter) for p in points] == [("age-priced", 50.0), ("age-priced", 90.0)]
    assert points[0].policy == Priced("age", 1.0, 50.0, float(np.arange(101.0).std()), 60.0)


def test_of_a_signal_that_falls_the_negative_counts() -> None:
    reference = {"top_overlap": np.arange(101.0)}
    keys = {"signal": "top_overlap", "falling": True}
    (priced,) = FAMILY.validate_python({"kind": "priced", "quantile": 0.9, **keys}).points(lambda name: reference[name])
    (tracked,) = FAMILY.validate_python({"kind": "tracker", "rate": 0.1, **keys}).points(lambda name: reference[name])
    sight = Sight(np.arange(4), -1, {"top_overlap": np.array([50.0, 11.0, 10.0, 2.0])}, lambda: np.ones(4), (-10.0,))
    assert tracked.policy.asks(sight._replace(steps=np.zeros(4, np.int64))).tolist() == [False, False, True, True]
    silent = sight._replace(since=lambda event: np.full(4, np.inf))
    assert priced.policy.asks(silent).tolist() == [False, False, True, True]
