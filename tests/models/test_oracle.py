"""The oracle's plan is the best of all plans, found by trying every one."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.oracle import plan


@given(st.integers(0, 10_000), st.integers(1, 7), st.floats(0, 1.5))
def test_following_the_plan_is_worth_as_much_as_the_best_of_all_plans(seed: int, steps: int, price: float) -> None:
    worth = np.triu(np.random.default_rng(seed).random((steps, steps)).round(2))

    def value(asks: tuple[bool, ...]) -> float:
        cut, total = 0, 0.0
        for step, asked in enumerate(asks, 1):
            cut = step if asked else cut
            total += worth[cut, step] - price * asked
        return total

    best = max(value(asks) for asks in product([False, True], repeat=steps - 1))
    planned, cut, asks = plan(worth, price), 0, []
    for step in range(1, steps):
        asks.append(bool(planned[cut, step]))
        cut = step if asks[-1] else cut
    assert abs(value(tuple(asks)) - best) < 1e-9


def test_the_dearer_a_request_the_fewer_are_made() -> None:
    worth = np.triu(np.random.default_rng(3).random((60, 60)))
    made = []
    for price in (0.0, 0.1, 0.3, 0.6, 1.0, 5.0):
        planned, cut, count = plan(worth, price), 0, 0
        for step in range(1, 60):
            if planned[cut, step]:
                cut, count = step, count + 1
        made.append(count)
    assert made == sorted(made, reverse=True)
    assert made[0] > 20
    assert made[-1] == 0
