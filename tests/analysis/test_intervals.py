"""The intervals cover the truth as often as they say, and agree with what statistics knows of the simple cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.errors import TableError
from analysis.intervals import Estimate, interval, narrowest, p_value, ratio


def population(rng, replications, users, user_spread, replication_spread, own_spread, truth=0.3):
    """Accuracy of each user in each replication around `truth`, over streams of very different length."""
    counts = np.tile(np.maximum(rng.geometric(1 / 30, users), 5).astype(float), (replications, 1))
    rates = (
        truth
        + user_spread * rng.normal(size=(1, users))
        + replication_spread * rng.normal(size=(replications, 1))
        + own_spread * rng.normal(size=(replications, users))
    )
    return rates * counts, counts


@pytest.mark.parametrize(
    ("replications", "spreads"),
    [
        pytest.param(1, (0.1, 0.0, 0.05), id="users only"),
        pytest.param(2, (0.1, 0.0, 0.02), id="two replications that do not matter"),
        pytest.param(3, (0.1, 0.0, 0.1), id="noise of its own in every cell"),
        pytest.param(3, (0.05, 0.005, 0.05), id="both matter"),
        pytest.param(5, (0.05, 0.05, 0.05), id="replications matter most"),
    ],
)
def test_coverage_is_95_percent(replications, spreads):
    rng, runs, covered = np.random.default_rng(11), 3000, 0
    for _ in range(runs):
        found = interval(ratio(*population(rng, replications, 150, *spreads)))
        covered += found.low <= 0.3 <= found.high
    assert 0.93 <= covered / runs <= 0.97


def test_where_neither_users_nor_replications_matter_the_interval_is_on_the_safe_side():
    rng, runs, covered = np.random.default_rng(17), 2000, 0
    for _ in range(runs):
        found = interval(ratio(*population(rng, 3, 150, 0.0, 0.0, 0.1)))
        covered += found.low <= 0.3 <= found.high
    assert 0.95 <= covered / runs <= 0.985


def test_coverage_of_a_paired_difference_is_95_percent_and_narrower_than_unpaired():
    rng, runs, covered, narrower = np.random.default_rng(12), 2000, 0, 0
    for _ in range(runs):
        sums, counts = population(rng, 3, 150, 0.1, 0.02, 0.0)
        first = ratio(sums + counts * (0.01 + 0.02 * rng.normal(size=counts.shape)), counts)
        second = ratio(sums + counts * 0.02 * rng.normal(size=counts.shape), counts)
        found = interval(first - second)
        covered += found.low <= 0.01 <= found.high
        narrower += found.standard_error < interval(first).standard_error
    assert 0.93 <= covered / runs <= 0.97
    assert narrower == runs


def test_one_replication_of_equal_streams_is_the_students_t_interval():
    rates = np.random.default_rng(13).normal(0.3, 0.1, (1, 40))
    found = interval(ratio(rates * 7, np.full((1, 40), 7.0)))
    low, high = stats.t.interval(0.95, 39, loc=rates.mean(), scale=stats.sem(rates[0]))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.degrees_of_freedom == 39


def test_repeating_a_replication_adds_no_certainty():
    sums, counts = population(np.random.default_rng(14), 1, 60, 0.1, 0.0, 0.05)
    once, thrice = interval(ratio(sums, counts)), interval(ratio(np.tile(sums, (3, 1)), np.tile(counts, (3, 1))))
    assert thrice.standard_error == pytest.approx(once.standard_error)


def test_cloning_every_user_adds_no_certainty():
    sums, counts = population(np.random.default_rng(15), 2, 60, 0.1, 0.0, 0.05)
    # Clones fall into their user's sums.
    assert interval(ratio(4 * sums, 4 * counts)).standard_error == pytest.approx(
        interval(ratio(sums, counts)).standard_error
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(2, 12))
def test_influence_is_the_derivative_in_a_cells_weight(seed, replications, users):
    rng = np.random.default_rng(seed)
    tables = [rng.uniform(1, 2, (replications, users)) for _ in range(3)]
    cell = rng.integers(replications), rng.integers(users)

    def combined(weight):
        weights = np.ones((replications, users))
        weights[cell] = weight
        a, b = (ratio(weights * table, weights * tables[2]) for table in tables[:2])
        return (a - b.scaled(0.5)) * a / b + a

    slope = (combined(1 + 1e-5).value - combined(1 - 1e-5).value) / 2e-5
    influence = combined(1).influence
    assert influence[cell] == pytest.approx(slope, rel=1e-3, abs=1e-8)
    assert influence.sum() == pytest.approx(0, abs=1e-12)


def test_p_value_agrees_with_the_interval_and_with_the_t_test():
    values = np.random.default_rng(16).normal(0.2, 1, (1, 30))
    estimate = ratio(values, np.ones((1, 30)))
    assert p_value(estimate) == pytest.approx(stats.ttest_1samp(values[0], 0).pvalue)
    found = interval(estimate)
    shifted = Estimate(found.high - found.value, estimate.influence)
    assert p_value(shifted) == pytest.approx(0.05)
    assert p_value(estimate - estimate) == 1


def test_nothing_to_compare_is_said_and_not_guessed():
    assert np.isnan(interval(ratio(np.ones((1, 1)), np.full((1, 1), 2.0))).low)
    with pytest.raises(TableError, match="no interactions"):
        ratio(np.ones((2, 2)), np.zeros((2, 2)))
    with pytest.raises(TableError, match="same replications and users"):
        ratio(np.ones((2, 2)), np.ones((2, 2))) - ratio(np.ones((2, 3)), np.ones((2, 3)))


def test_what_more_replications_cannot_narrow_is_what_the_users_leave():
    """Against the interval of very many replications of the same users."""
    few = ratio(*population(np.random.default_rng(21), 5, 300, 0.1, 0.01, 0.2))
    many = interval(ratio(*population(np.random.default_rng(21), 400, 300, 0.1, 0.01, 0.2)))
    assert narrowest(few) == pytest.approx((many.high - many.low) / 2, rel=0.2)
    assert narrowest(few) < (interval(few).high - interval(few).low) / 2
    assert np.isnan(narrowest(ratio(*population(np.random.default_rng(3), 1, 50, 0.1, 0.0, 0.1))))
