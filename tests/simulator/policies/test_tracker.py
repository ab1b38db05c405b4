"""A tracker meets its rate on any sequence of signals, as far as its theorem says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import FAMILY, outcomes, policy, world

from simulator.policies.base import Sight
from simulator.policies.tracker import Tracker
from simulator.rehearse import rehearse
from simulator.run import run

TOP = 10.0


def share(tracker: Tracker, values: list[float]) -> float:
    """Of steps at which a device asks that nothing keeps from it."""
    memory, asked, asks = tracker.memory, -1, 0
    for step, value in enumerate(values):
        sight = Sight(np.array([step]), asked, {"age": np.array([value])}, lambda: np.ones(1), memory)
        if tracker.asks(sight)[0]:
            memory, asked, asks = tracker.remember(sight), step, asks + 1
    return asks / len(values)


@given(
    st.lists(st.floats(0, TOP), min_size=1, max_size=300),
    st.floats(0, 1),
    st.floats(0, TOP),
    st.floats(0.01, 100),
)
@settings(max_examples=150, deadline=None)
def test_any_sequence_is_asked_at_about_the_rate(values: list[float], rate: float, start: float, step: float) -> None:
    """Proposition 1 of arXiv 2307.16895: within (b + step) / (step T), for signals in [0, b]."""
    found = share(Tracker("age", 1.0, rate, start, step), values)
    assert abs(found - rate) <= (TOP + step) / (step * len(values)) + 1e-9


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("step", [0.2, 5.0])
def test_a_fleet_asks_at_the_rate_although_its_threshold_begins_elsewhere(rate: float, step: float) -> None:
    w = world([400] * 12, pace={"kind": "drawn"})
    p = policy("tracker", rate=rate, step=step)  # its reference is even, the signals are not
    asked = run(w, p, 1, rehearse(w, [p], 1, outcomes(w))).requests
    assert len(asked) / 4800 == pytest.approx(rate, rel=0.15)


def test_a_large_step_asks_every_so_often() -> None:
    w = world([200], pace={"kind": "drawn", "think_time_s": 100})
    p = policy("tracker", rate=0.1, step=1000)
    asked = run(w, p, 1, rehearse(w, [p], 1, outcomes(w))).requests["step"].to_numpy()
    assert set(np.diff(asked)) <= {10, 11}


def test_the_threshold_begins_where_the_validation_part_would_ask_at_the_rate() -> None:
    family = FAMILY.validate_python({"kind": "tracker", "signal": "age", "rate": [0.2, 0.1], "step": 0.5})
    reference = np.arange(101.0)
    points = family.points(lambda name: {"age": reference}[name])
    assert [(p.name, p.parameter) for p in points] == [("age-tracker", 0.1), ("age-tracker", 0.2)]
    policies = [p.policy for p in points]
    assert all(isinstance(each, Tracker) for each in policies)
    assert [each.start for each in policies if isinstance(each, Tracker)] == pytest.approx([90.0, 80.0])
    assert [each.step for each in policies if isinstance(each, Tracker)] == pytest.approx([0.5 * reference.std()] * 2)
