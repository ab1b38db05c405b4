"""A policy is a pure predicate over steps, and a family turns what a scenario says into points of the curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from simulator.policies import AnyPolicy
from simulator.policies.base import Family, Policy, Sight

ADAPTER: TypeAdapter[Family] = TypeAdapter(AnyPolicy)
COINS = np.array([0.05, 0.5, 0.95, 0.2])


def family(**keys: Any) -> Family:
    return ADAPTER.validate_python(keys)


def policy(**keys: Any) -> Policy:
    return family(**keys).points(lambda _: np.arange(101.0))[0].policy


def sight(asked: int = 3, footrule: list[float] | None = None, dtype: type = np.float64) -> Sight:
    signals = None if footrule is None else {"footrule": np.array(footrule, dtype)}
    return Sight(np.arange(4, 8), asked, signals, lambda: COINS)


def test_each_rule_asks_where_it_says() -> None:
    held = sight(footrule=[1.0, 2.0, 3.0, 0.0])
    assert policy(kind="always").asks(held).tolist() == [True] * 4
    assert policy(kind="never").asks(held).tolist() == [False] * 4
    assert policy(kind="random", probability=0.5).asks(held).tolist() == [True, False, False, True]
    assert policy(kind="periodic", every=3).asks(held).tolist() == [False, False, True, True]
    assert policy(kind="footrule", threshold=2.0).asks(held).tolist() == [False, True, True, False]


def test_random_and_periodic_of_one_are_always() -> None:
    for keys in ({"kind": "random", "probability": 1}, {"kind": "periodic", "every": 1}):
        assert policy(**keys).asks(sight()).all()


def test_only_never_stays_shut_at_the_first_interaction() -> None:
    assert not policy(kind="never").opens
    assert policy(kind="random", probability=0).opens


def test_footrule_asks_while_nothing_is_held() -> None:
    assert policy(kind="footrule", threshold=1e9).asks(sight(footrule=None)).all()


def test_footrule_compares_in_full_precision() -> None:
    """In float32 the threshold would round to the signal below it, and the live engine would decide otherwise."""
    signal = float(np.float32(0.1))
    above = np.nextafter(signal, 1.0)
    assert np.float32(above) == np.float32(signal)
    assert not policy(kind="footrule", threshold=above).asks(sight(footrule=[signal] * 4, dtype=np.float32)).any()


def test_quantiles_are_read_off_the_validation_reference() -> None:
    points = family(kind="footrule", quantile=[0.9, 0.5]).points(lambda name: np.arange(101.0))
    assert [(p.name, p.parameter) for p in points] == [("footrule", 50.0), ("footrule", 90.0)]


def test_points_are_in_the_order_of_the_parameter_without_repeats() -> None:
    assert [p.parameter for p in family(kind="periodic", every=[8, 2, 8]).points(lambda _: COINS)] == [2, 8]
    assert [p.parameter for p in family(kind="always").points(lambda _: COINS)] == [None]


@pytest.mark.parametrize(
    "keys",
    [
        {"kind": "random"},
        {"kind": "random", "probability": []},
        {"kind": "random", "probability": 1.1},
        {"kind": "periodic", "every": 0},
        {"kind": "footrule"},
        {"kind": "footrule", "threshold": 1, "quantile": 0.5},
        {"kind": "always", "every": 3},
        {"kind": "oracle"},
    ],
)
def test_what_makes_no_policy_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        family(**keys)


def test_a_single_value_needs_no_list_in_the_editor_either() -> None:
    schema = ADAPTER.json_schema()
    assert {"integer", "array"} == {
        way["type"] for way in schema["$defs"]["PeriodicFamily"]["properties"]["every"]["anyOf"]
    }
