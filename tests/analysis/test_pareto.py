"""Policies are compared at equal cost, paired over their common users, and honestly so when many are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.curve import digest
from analysis.errors import TableError
from analysis.intervals import Estimate, interval, ratio
from analysis.pareto import area, at_cost, common_range, compare, front, holm, paths


def exactly(*points):
    return [tuple(Estimate(value, np.zeros((2, 3))) for value in point) for point in points]


def test_the_front_holds_what_nothing_dominates():
    cost = np.array([1.0, 2.0, 3.0, 2.0, 1.0, np.nan, 4.0])
    value = np.array([5.0, 7.0, 6.0, 7.0, 4.0, 9.0, 8.0])
    assert front(cost, value).tolist() == [True, True, False, True, False, False, True]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20))
def test_off_the_front_something_on_it_is_at_least_as_good(points):
    cost, value = np.array(points, float).T
    on = front(cost, value)
    assert on.any()
    for i in np.flatnonzero(~on):
        assert ((cost[on] <= cost[i]) & (value[on] >= value[i])).any()


def test_a_policy_is_read_off_the_line_between_its_points():
    path = exactly((0.1, 1.0), (0.3, 2.0), (0.3, 2.5), (0.7, 3.5))
    for cost, value in ((0.1, 1.0), (0.2, 1.5), (0.5, 3.0), (0.7, 3.5)):
        assert at_cost(path, cost).value == pytest.approx(value)
    with pytest.raises(TableError, match="outside"):
        at_cost(path, 0.71)
    assert at_cost(exactly((0.5, 4.0)), 0.5).value == 4


@given(st.lists(st.tuples(st.integers(1, 40), st.floats(0, 1)), min_size=2, max_size=8, unique_by=lambda p: p[0]))
def test_the_area_is_the_mean_height_of_the_curve(points):
    points = sorted(points)
    cost, value = np.array(points, float).T
    low, high = cost[0] + 0.25 * np.ptp(cost), cost[-1] - 0.1 * np.ptp(cost)
    fine = np.linspace(low, high, 20_001)
    assert area(exactly(*points), low, high).value == pytest.approx(np.interp(fine, cost, value).mean(), abs=1e-3)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["at_cost", "area"]))
def test_influence_is_the_derivative_in_a_users_weight(seed, kind):
    rng = np.random.default_rng(seed)
    counts = rng.uniform(5, 9, (2, 6))
    costs = [counts * rng.uniform(level - 0.05, level + 0.05, (2, 6)) for level in (0.2, 0.4, 0.7)]
    gains = [counts * rng.uniform(0, 1, (2, 6)) for _ in costs]

    def score(weight):
        weights = np.ones((2, 6))
        weights[1, 2] = weight
        path = [
            (ratio(weights * cost, weights * counts), ratio(weights * gain, weights * counts))
            for cost, gain in zip(costs, gains, strict=True)
        ]
        return at_cost(path, 0.5) if kind == "at_cost" else area(path, 0.3, 0.6)

    slope = (score(1 + 1e-5).value - score(1 - 1e-5).value) / 2e-5
    assert score(1).influence[1, 2] == pytest.approx(slope, rel=1e-3, abs=1e-8)


def world(rng, gain):
    """Two policies at three points each, whose true curves lie `gain` apart; costs are random, too."""
    users, replications = 120, 3
    counts = np.tile(rng.integers(10, 60, users).astype(float), (replications, 1))
    taste = rng.normal(0, 0.1, users)
    weather = rng.normal(0, 0.01, (replications, 1))

    def points(shift):
        path, liking = [], rng.normal(0, 0.03, users)  # a policy suits some users better than others
        for level in (0.1, 0.3, 0.6):
            asked = level + 0.3 * level * rng.normal(size=counts.shape)
            # On the true curve 0.2 + level / 2: whoever asks more gets more.
            found = 0.2 + asked / 2 + shift + taste + liking + weather + rng.normal(0, 0.03, counts.shape)
            path.append((ratio(counts * asked, counts), ratio(counts * found, counts)))
        return path

    return points(0.0), points(gain)


@pytest.mark.parametrize("score", [lambda path: at_cost(path, 0.25), lambda path: area(path, 0.15, 0.5)])
def test_coverage_of_the_difference_at_equal_cost_is_95_percent(score):
    rng, runs, covered, unpaired = np.random.default_rng(21), 1000, 0, 0.0
    for _ in range(runs):
        first, second = world(rng, gain=0.004)
        found = interval(score(second) - score(first))
        covered += found.low <= 0.004 <= found.high
        unpaired += interval(score(first)).standard_error / found.standard_error
    assert 0.93 <= covered / runs <= 0.97
    assert unpaired / runs > 2  # common users and weather cancel


def test_compare_finds_the_better_policy_and_spares_the_equal_one():
    rng = np.random.default_rng(22)
    first, second = world(rng, gain=0.02)
    scores = {"every": at_cost(first, 0.3), "same": at_cost(first, 0.3), "better": at_cost(second, 0.3)}
    better, same = compare(scores, "every")
    assert (better.policy, better.baseline, same.policy) == ("better", "every", "same")
    assert better.difference.low > 0
    assert better.p < 0.01
    assert same.p == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_what_its_step_down_procedure_rejects(p_values):
    adjusted = holm(np.array(p_values))
    for level in (0.01, 0.05, 0.3):
        rejected = set()
        for step, i in enumerate(np.argsort(p_values, kind="stable")):
            if p_values[i] * (len(p_values) - step) > level:
                break
            rejected.add(i)
        assert rejected == set(np.flatnonzero(adjusted <= level))


def test_holm_of_the_usual_example():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([])).size == 0


def test_paths_come_from_digests_in_the_order_of_cost(single_server, fleet, cell):
    digests = []
    for asked, n in ((200, 2.0), (50, 9.0)):
        rng = np.random.default_rng(3)
        digests.append(digest([single_server(0.5, asked, rng)], fleet(20, 1, rng, asked), cell("periodic", n)))
    path = paths(digests, "hr_at_10")["periodic"]
    assert [point[0].value for point in path] == sorted(one.summary["requests_per_interaction"] for one in digests)
    assert common_range([path, path]) == (path[0][0].value, path[1][0].value)
    with pytest.raises(TableError, match="share no range"):
        common_range([path, path[:1]])
