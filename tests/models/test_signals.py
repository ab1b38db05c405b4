"""Signals are what their sources define: reference implementations, known values, and bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import entropy as scipy_entropy
from scipy.stats import kendalltau, weightedtau
from torch import Tensor

from models.held import HeldSince
from models.signals import NAMES, signal


def held(llm: Tensor, srm: Tensor, left: Tensor | None = None, age: int = 0) -> HeldSince:
    """Fresh lists in the cloud's order, unless told otherwise: nothing was taken, and the device has not moved."""
    left = torch.ones_like(srm, dtype=torch.bool) if left is None else left
    rows = len(srm)
    return HeldSince(
        llm,
        srm,
        left,
        user=torch.arange(rows),
        age=torch.full((rows,), age),
        then=srm,
        taken=torch.where(left, -1, 0),
        state=torch.ones(rows, 4, dtype=srm.dtype),
        state_then=torch.ones(rows, 4, dtype=srm.dtype),
        lacks=torch.zeros(rows, 10, dtype=torch.bool),
        odds=torch.full((rows, 10), 0.05, dtype=srm.dtype),
    )


def orders(rows: int, length: int, gone: float = 0.3) -> HeldSince:
    """Random scores of both sides, the cloud's falling, and random items gone."""
    draws = torch.Generator().manual_seed(length)
    llm = torch.rand(rows, length, generator=draws, dtype=torch.float64).sort(1, descending=True).values
    srm = torch.randn(rows, length, generator=draws, dtype=torch.float64)
    return held(llm, srm, torch.rand(rows, length, generator=draws) >= gone)


def each(moments: HeldSince) -> list[tuple[np.ndarray, np.ndarray]]:
    """([n] places in the cloud's order, [n] in the device's) of the items left, row by row."""
    found = []
    for srm, left in zip(moments.srm.numpy(), moments.left.numpy(), strict=True):
        own = np.empty(left.sum(), np.int64)
        own[np.argsort(-srm[left], kind="stable")] = np.arange(len(own))
        found.append((np.arange(len(own)), own))
    return found


def test_kendall_is_scipy_s() -> None:
    moments = orders(40, 30)
    expected = [(1 - kendalltau(cloud, own).statistic) / 2 for cloud, own in each(moments)]
    np.testing.assert_allclose(signal("kendall")(moments), expected, atol=1e-12)


def test_top_kendall_is_scipy_s_weighted_tau_with_the_cloud_s_places_as_ranks() -> None:
    moments = orders(40, 30)
    expected = [(1 - weightedtau(-cloud, -own, rank=cloud).statistic) / 2 for cloud, own in each(moments)]
    np.testing.assert_allclose(signal("top_kendall")(moments), expected, atol=1e-12)


def test_rank_biased_is_the_sum_of_webber_s_definition() -> None:
    moments = orders(40, 30)
    expected = []
    for cloud, own in each(moments):
        n, p, total = len(cloud), 0.9, 0.0
        for depth in range(1, n + 1):
            total += np.sum((cloud < depth) & (own < depth)) / depth * p**depth
        expected.append(1 - (p**n + (1 - p) / p * total))
    np.testing.assert_allclose(signal("rank_biased")(moments), expected, atol=1e-12)


def test_the_footrule_has_its_known_values() -> None:
    footrule = signal("footrule")
    for count in (1, 2, 7, 50):
        order = torch.arange(count, 0, -1, dtype=torch.float64)[None]
        assert footrule(held(order, order)).item() == 0
        assert footrule(held(order, -order)).item() == (count * count // 2) / count
    random = torch.rand(4000, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert footrule(held(torch.zeros_like(random), random)).mean().item() == pytest.approx((50 - 1 / 50) / 3, rel=0.01)


@pytest.mark.parametrize("name", ["footrule", "kendall", "top_kendall", "rank_biased", "top_overlap"])
def test_equal_orders_are_0_apart_and_opposite_ones_farthest(name: str) -> None:
    order = torch.arange(25, 0, -1, dtype=torch.float64)[None]
    farthest = signal(name)(held(order, -order)).item()
    assert signal(name)(held(order, order)).item() == 0
    assert farthest >= signal(name)(held(order.expand(200, 25), orders(200, 25, 0).srm)).max().item()
    assert farthest > 0.5
    if name in ("kendall", "top_kendall", "top_overlap"):
        assert farthest == pytest.approx(1)


def test_entropy_and_margin_are_those_of_the_softmax_over_what_is_left() -> None:
    moments = orders(20, 30)
    rows = zip(moments.srm.numpy(), moments.left.numpy(), strict=True)
    odds = [np.exp(srm[left]) / np.exp(srm[left]).sum() for srm, left in rows]
    np.testing.assert_allclose(signal("entropy")(moments), [scipy_entropy(p) for p in odds], atol=1e-12)
    np.testing.assert_allclose(signal("margin")(moments), [np.sort(p)[-1] - np.sort(p)[-2] for p in odds], atol=1e-12)


def test_what_happened_since_the_list_came() -> None:
    """A list of 12 after 14 clicks: places 0, 3 and 11 were taken after 1, 13 and 9 clicks."""
    order = torch.arange(12, 0, -1, dtype=torch.float64)[None]
    taken = torch.full((1, 12), -1)
    taken[0, 0], taken[0, 3], taken[0, 11] = 1, 13, 9
    moment = replace(held(order, order, taken < 0, age=14), taken=taken)
    value = {name: signal(name)(moment).item() for name in ("age", "consumed", "recent_hits", "recent_misses")}
    assert value == {"age": 14, "consumed": 3 / 12, "recent_hits": 1, "recent_misses": 9}


def test_coverage_drift_and_motion_compare_with_what_was() -> None:
    order = torch.arange(10, 0, -1, dtype=torch.float64)[None]
    fresh = held(order, order)
    assert [signal(name)(fresh).item() for name in ("coverage", "drift", "fading", "motion")] == [0, 0, 0, 0]
    state = torch.tensor([[1.0, 0, 0, 0]], dtype=torch.float64)
    moved = replace(fresh, then=-order, state=state, state_then=-state, lacks=torch.arange(10)[None] < 3)
    assert [signal(name)(moved).item() for name in ("coverage", "drift", "motion")] == [0.3, 5, 2]
    faded = replace(fresh, then=order + 2, left=torch.arange(10)[None] > 3)
    assert signal("fading")(faded).item() == pytest.approx(2)
    assert signal("missing_mass")(moved).item() == pytest.approx(0.15)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_list_and_a_device_without_a_catalogue_give_a_number(name: str) -> None:
    moments = replace(
        orders(3, 8, gone=1.1), lacks=torch.zeros(3, 0, dtype=torch.bool), odds=torch.zeros(3, 0, dtype=torch.float64)
    )
    values = signal(name)(moments)
    assert values.shape == (3,)
    assert values.dtype == moments.llm.dtype
    assert values.isfinite().all()


def test_half_precision_would_take_different_footrules_for_the_same() -> None:
    """Why the store keeps signals in float32: lists of 40 to 50 items are told apart by it, and not by float16."""
    values = np.unique([moved / left for left in range(40, 51) for moved in range(0, left * left // 2 + 1, 2)])
    assert len(np.unique(values.astype(np.float32))) == len(values)
    assert len(np.unique(values.astype(np.float16))) < 0.8 * len(values)
