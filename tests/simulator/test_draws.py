"""Draws are SplitMix64, uniform, without a position, and the same one by one as in arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.draws import _GOLDEN, _mix, uniform, uniforms


def test_mixing_gives_the_reference_outputs_of_splitmix64() -> None:
    """The first outputs of the reference implementation (Vigna, prng.di.unimi.it/splitmix64.c) for seed 0."""
    states = [(i * _GOLDEN) % 2**64 for i in (1, 2, 3)]
    assert [_mix(state) for state in states] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


@given(st.integers(0, 2**63), st.sampled_from(["rtt", "gap"]), st.integers(0, 2**40), st.integers(0, 2**40))
def test_arrays_hold_the_numbers_of_single_draws(seed: int, purpose: str, device: int, index: int) -> None:
    devices, indices = device + np.arange(3), index + np.arange(3)
    assert uniforms(seed, purpose, device, indices).tolist() == [
        uniform(seed, purpose, device, i) for i in indices.tolist()
    ]
    pairs = zip(devices.tolist(), indices.tolist(), strict=True)
    assert uniforms(seed, purpose, devices, indices).tolist() == [uniform(seed, purpose, d, i) for d, i in pairs]


@pytest.mark.parametrize("along", ["device", "index", "seed", "purpose"])
def test_numbers_are_uniform_and_neither_repeat_nor_follow_each_other(along: str) -> None:
    n = 20_000
    if along == "device":
        numbers = uniforms(1, "rtt", np.arange(n), np.zeros(n, np.int64))
    elif along == "index":
        numbers = uniforms(1, "rtt", 0, np.arange(n))
    elif along == "seed":
        numbers = np.array([uniform(seed, "rtt", 0, 0) for seed in range(n)])
    else:
        numbers = np.array([uniform(1, f"purpose {i}", 0, 0) for i in range(n)])
    assert ((numbers > 0) & (numbers < 1)).all()
    assert stats.kstest(numbers, "uniform").pvalue > 0.001
    assert len(np.unique(numbers)) == n
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 4 / np.sqrt(n)


def test_indices_are_left_as_they_are() -> None:
    """The array is worked on in place; not on the caller's."""
    index = np.arange(5)
    uniforms(1, "rtt", 0, index)
    uniforms(1, "rtt", index, index)
    assert index.tolist() == [0, 1, 2, 3, 4]
