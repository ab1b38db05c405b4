"""Accuracy by age is the same accuracy as by device, told apart by how old the list was."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from troubles import rough_worlds
from worlds import POLICIES, outcomes, policy, world

from simulator.accuracy import worth
from simulator.ages import SUMS, Ages
from simulator.outcomes import NOTHING
from simulator.policies.base import Policy
from simulator.rehearse import rehearse
from simulator.run import run
from simulator.shown import Shown
from simulator.world import World

some = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


@given(rough_worlds(), POLICIES, st.integers(0, 3))
@some
def test_ages_add_up_to_the_devices(w: World, p: Policy, seed: int) -> None:
    r = run(w, p, seed, rehearse(w, [p], seed, outcomes(w)))
    held = r.ages[r.ages["age"] != NOTHING]
    assert r.ages["age"].is_monotonic_increasing
    assert (r.ages["interactions"] > 0).all()
    for name in SUMS:
        assert r.ages[name].sum() == pytest.approx(r.devices[name].sum())
    assert held["interactions"].sum() == r.devices["held"].sum()
    assert (held["age"] * held["interactions"]).sum() == r.devices["staleness"].sum()


def test_pieces_are_counted_as_one_by_one() -> None:
    rng = np.random.default_rng(5)
    ages = Ages()
    expected: dict[int, npt.NDArray[np.float64]] = defaultdict(lambda: np.zeros(len(SUMS)))
    tables = worth(100)
    for _ in range(3):
        cut = rng.integers(-1, 6, 40)
        start = np.maximum(cut, 0) + rng.integers(0, 4, 40)
        stop = start + rng.integers(1, 9, 40)
        ranks = rng.integers(0, 99, int((stop - start).sum()))
        piece = Shown(0, 40, np.arange(40), cut, start, stop, ranks)
        list(ages.watch([piece]))
        steps = [(c, t) for c, b, e in zip(cut, start, stop, strict=True) for t in range(b, e)]
        for (c, t), rank in zip(steps, ranks, strict=True):
            expected[t - c if c != NOTHING else -1] += [1, *(table[rank] for table in tables)]
    table = ages.table().set_index("age")
    assert sorted(expected) == table.index.tolist()
    for age, sums in expected.items():
        assert table.loc[[age], list(SUMS)].to_numpy()[0] == pytest.approx(sums)


def test_nothing_shown_leaves_no_ages() -> None:
    assert Ages().table().empty
    w = world([4, 3])
    never = policy("never")
    r = run(w, never, 1, rehearse(w, [never], 1, outcomes(w)))
    assert r.ages["age"].tolist() == [NOTHING]
