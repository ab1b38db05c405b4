"""Policies that look at signals: thresholds on one or a sum of them, on learned ones, and the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from simulator.policies import AnyPolicy
from simulator.policies.base import Family, Point, Sight

ADAPTER: TypeAdapter[Family] = TypeAdapter(AnyPolicy)


def points(**keys: Any) -> list[Point]:
    return ADAPTER.validate_python(keys).points(lambda name: np.arange(101.0))


def sight(**signals: list[float]) -> Sight:
    seen = {name: np.array(values, np.float32) for name, values in signals.items()} or None
    return Sight(np.arange(4, 7), 3, seen, lambda: np.zeros(3))


def test_a_sum_of_signals_is_weighed_in_full_precision() -> None:
    (point,) = points(kind="threshold", weights={"coverage": 1, "margin": -2}, threshold=0.5)
    assert point.name == "coverage+-2*margin"
    assert set(point.policy.signals) == {"coverage", "margin"}
    held = sight(coverage=[0.75, 0.5, 1.0], margin=[0.125, 0.125, 0.25])
    assert point.policy.asks(held).tolist() == [True, False, True]
    value = float(np.float32(0.1))
    (close,) = points(kind="threshold", signal="drift", threshold=np.nextafter(value, 1))
    assert not close.policy.asks(sight(drift=[value] * 3)).any()


def test_without_a_list_all_of_them_ask() -> None:
    for keys in (
        {"kind": "threshold", "signal": "age", "threshold": 1e9},
        {"kind": "learned-gain", "threshold": 1e9},
        {"kind": "intellectreq", "threshold": 1e9},
        {"kind": "oracle", "price": 1e9},
    ):
        assert points(**keys)[0].policy.asks(sight()).all()


def test_quantiles_are_those_of_the_weighted_signal() -> None:
    for keys in ({"signal": "age"}, {"weights": {"age": 1.0}}):
        assert [point.parameter for point in points(kind="threshold", quantile=[0.9, 0.5], **keys)] == [50, 90]
    assert [point.parameter for point in points(kind="threshold", quantile=0.9, weights={"margin": -1})] == [-10]


def test_each_kind_looks_at_its_own_signal_under_its_own_name() -> None:
    named = {
        (point.name, point.policy.signals)
        for keys in (
            {"kind": "learned-gain", "quantile": 0.9},
            {"kind": "learned-gain", "sees": "catalogue", "quantile": 0.9},
            {"kind": "intellectreq", "quantile": 0.9},
            {"kind": "intellectreq", "detector": "one_class_svm", "quantile": 0.9},
        )
        for point in points(**keys)
    }
    assert named == {
        ("learned-gain", ("gain",)),
        ("learned-gain-over-catalogue", ("gain_over_catalogue",)),
        ("intellectreq", ("misjudgement",)),
        ("one-class-svm", ("one_class_svm",)),
    }


@pytest.mark.parametrize(("kind", "signal"), [("lsc4rec_code", "lsc4rec_code"), ("intellectreq", "misjudgement")])
def test_rules_of_released_code_read_their_quantile_off_the_part_they_are_told(kind: str, signal: str) -> None:
    def reference(asked: str, /, *, of_replay: bool = False) -> Any:
        assert asked == signal
        return np.arange(101.0) + 1000 * of_replay

    family = ADAPTER.validate_python({"kind": kind, "quantile": [0.9, 0.5]})
    assert [(point.name, point.parameter) for point in family.points(reference)] == [(kind, 50), (kind, 90)]
    released = ADAPTER.validate_python({"kind": kind, "quantile": 0.9, "quantile_of": "replay"})
    (point,) = released.points(reference)
    assert (point.name, point.parameter) == (f"{kind}-of-replay", 1090)
    assert family.signals == point.policy.signals == (signal,)


def test_the_oracle_looks_at_a_plan_of_its_own_for_each_price() -> None:
    family = ADAPTER.validate_python({"kind": "oracle", "price": [0.5, 0.1]})
    cheap, dear = family.points(lambda name: np.empty(0))
    assert (cheap.parameter, dear.parameter) == (0.1, 0.5)
    assert family.signals == (*cheap.policy.signals, *dear.policy.signals)
    assert cheap.policy.asks(sight(**{cheap.policy.signals[0]: [0, 1, 0]})).tolist() == [False, True, False]


@pytest.mark.parametrize(
    "keys",
    [
        {"kind": "threshold", "threshold": 1},
        {"kind": "threshold", "signal": "age", "weights": {"age": 1}, "threshold": 1},
        {"kind": "threshold", "signal": "age"},
        {"kind": "threshold", "weights": {}, "threshold": 1},
        {"kind": "threshold", "weights": {"age": 1, "drift": 1}, "quantile": 0.5},
        {"kind": "learned-gain"},
        {"kind": "learned-gain", "sees": "everything", "quantile": 0.5},
        {"kind": "intellectreq", "detector": "guess", "quantile": 0.5},
        {"kind": "oracle", "price": []},
    ],
)
def test_what_makes_no_policy_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        points(**keys)


def test_seconds_are_the_clocks_and_have_no_quantile() -> None:
    (point,) = points(kind="threshold", weights={"seconds": 1, "drift": 2}, threshold=60)
    assert point.policy.signals == ("drift",)
    assert point.policy.recalls
    seen = sight(drift=[0, 10, 10])._replace(since=lambda event: np.array([59.0, 39.0, 41.0]))
    assert point.policy.asks(seen).tolist() == [False, False, True]
    with pytest.raises(ValidationError, match="no clock"):
        points(kind="threshold", signal="seconds", quantile=0.9)
