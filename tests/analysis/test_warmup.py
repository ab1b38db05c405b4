"""MSER-5 cuts a transient off, leaves a steady series whole, and owns up where the run is too short."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import TableError
from analysis.warmup import BATCH, mser5


def by_the_book(series):
    """White (1997), a cut at a time: the variance of what is left, over its number."""
    means = [np.mean(series[i : i + BATCH]) for i in range(0, len(series) // BATCH * BATCH, BATCH)]
    errors = [np.var(means[cut:]) / (len(means) - cut) for cut in range(len(means) - BATCH)]
    return int(np.argmin(errors)), len(means)


@given(st.integers(0, 2**32 - 1), st.integers(50, 300), st.floats(-1e3, 1e3))
def test_it_is_the_rule_of_the_paper(seed, n, level):
    series = np.random.default_rng(seed).normal(level, 1, n)
    cut, batches = by_the_book(series)
    assert mser5(series) == (BATCH * cut if cut <= batches // 2 else None)


@pytest.mark.parametrize("length", [50, 200])
def test_a_transient_is_cut_off_and_little_else(length):
    rng = np.random.default_rng(1)
    for _ in range(20):
        series = rng.normal(0, 1, 1000)
        series[:length] += 8
        assert length <= mser5(series) <= length + 150


def test_a_decaying_transient_no_longer_biases_the_mean():
    rng, n = np.random.default_rng(2), 2000
    kept, whole = [], []
    for _ in range(50):
        series = 10 * np.exp(-np.arange(n) / 100) + rng.normal(0, 1, n)
        kept.append(series[mser5(series) :].mean())
        whole.append(series.mean())
    assert abs(np.mean(kept)) < 0.1 * np.mean(whole)


def test_a_steady_series_is_hardly_touched():
    rng = np.random.default_rng(3)
    cuts = [mser5(rng.normal(5, 1, 1000)) for _ in range(100)]
    assert np.median([1000 if cut is None else cut for cut in cuts]) <= 100


def test_a_run_that_is_all_transient_is_owned_up_to():
    assert mser5(np.linspace(0, 1, 500)) is None


def test_short_or_broken_series_are_refused():
    with pytest.raises(TableError, match="50 observations"):
        mser5(np.zeros(49))
    with pytest.raises(TableError, match="finite"):
        mser5(np.r_[np.zeros(99), np.nan])
