"""Which policy earns more for the same cost: the Pareto front, and paired comparisons along whole curves.

Points of different policies never cost exactly the same, so a policy is read off its curve by straight lines between
its points. Everything here is an `Estimate`, a smooth function of ratios over the same users and replications, so the
uncertainty of cost and accuracy, and their common users, carry through to the interval of a difference.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from analysis.curve import METRICS, Digest, by_point, per_interaction
from analysis.errors import TableError
from analysis.intervals import Estimate, Interval, interval, p_value

FloatArray = npt.NDArray[np.float64]

Path: TypeAlias = Sequence[tuple[Estimate, Estimate]]
"""A policy's points: (cost, accuracy), in the order of cost."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A policy's accuracy minus the baseline's, paired; p is Holm-adjusted over all that were compared together."""

    policy: str
    baseline: str
    difference: Interval
    p: float


def front(cost: FloatArray, value: FloatArray) -> npt.NDArray[np.bool_]:
    """[n] points on the Pareto front: no other costs no more and is worth no less, one of them strictly.

    A point without a cost or a value (NaN) is never on it.
    """
    cheaper, better = cost[:, None] < cost, value[:, None] > value  # [other, point]
    as_cheap, as_good = cost[:, None] <= cost, value[:, None] >= value
    dominated = (as_cheap & as_good & (cheaper | better)).any(axis=0)
    return ~dominated & ~np.isnan(cost) & ~np.isnan(value)


def paths(digests: Sequence[Digest], metric: str = "ndcg_at_10") -> dict[str, Path]:
    """Each policy's points as (requests per interaction, accuracy per interaction), in the order of cost."""
    found: dict[str, list[tuple[Estimate, Estimate]]] = {}
    for (policy, _), replications in by_point(digests).items():
        cost, accuracy = per_interaction(replications, "requests"), per_interaction(replications, METRICS[metric])
        found.setdefault(policy, []).append((cost, accuracy))
    return {policy: sorted(points, key=lambda point: point[0].value) for policy, points in found.items()}


def at_cost(path: Path, cost: float) -> Estimate:
    """A policy's accuracy where it costs exactly `cost`, on the straight line between its neighbouring points.

    Raises `TableError` outside the costs that the policy was run at: nothing is extrapolated.
    """
    costs = [point[0].value for point in path]
    if not costs[0] <= cost <= costs[-1]:
        raise TableError(f"cost {cost:.4g} lies outside this policy's points, {costs[0]:.4g} to {costs[-1]:.4g}")
    right = max(bisect_left(costs, cost), min(1, len(costs) - 1))
    (from_cost, from_value), (to_cost, to_value) = path[right - 1], path[right]
    if from_cost.value == to_cost.value:
        return to_value
    way = (_exactly(cost, from_cost) - from_cost) / (to_cost - from_cost)
    return from_value + (to_value - from_value) * way


def area(path: Path, low: float, high: float) -> Estimate:
    """Mean accuracy along a policy's curve from cost `low` to `high`: the area below it, over the range's width.

    Policies compare on a range that all of them cover (`common_range`). Raises `TableError` where this one does not.
    """
    if not low < high:
        raise TableError(f"an area needs a range of costs, got {low:.4g} to {high:.4g}")
    ends = [(_exactly(cost, path[0][0]), at_cost(path, cost)) for cost in (low, high)]
    knots = [ends[0], *(point for point in path if low < point[0].value < high), ends[1]]
    pieces = [(right[0] - left[0]) * (right[1] + left[1]) for left, right in pairwise(knots)]
    return sum(pieces[1:], start=pieces[0]).scaled(0.5 / (high - low))


def common_range(paths: Iterable[Path]) -> tuple[float, float]:
    """The costs that every policy was run at. Raises `TableError` where there are none."""
    ranges = [(path[0][0].value, path[-1][0].value) for path in paths]
    low, high = max(first for first, _ in ranges), min(last for _, last in ranges)
    if low >= high:
        raise TableError("the policies share no range of costs")
    return low, high


def compare(scores: Mapping[str, Estimate], baseline: str) -> list[Comparison]:
    """Paired differences of all policies from one of them, largest first.

    scores: name -> an accuracy (of `at_cost` or `area`), all over the same users and replications. The hypotheses that
    a difference is 0 are judged together (`holm`).
    """
    others = [name for name in sorted(scores) if name != baseline]
    differences = [scores[name] - scores[baseline] for name in others]
    adjusted = holm(np.array([p_value(difference) for difference in differences]))
    found = [
        Comparison(name, baseline, interval(difference), float(p))
        for name, difference, p in zip(others, differences, adjusted, strict=True)
    ]
    return sorted(found, key=lambda comparison: -comparison.difference.value)


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's step-down adjustment (Scandinavian J. of Statistics 6, 1979) of p values that are judged together.

    The k-th smallest of m is multiplied by m - k + 1, never falls below a smaller one's, never exceeds 1.
    """
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return adjusted


def _exactly(value: float, like: Estimate) -> Estimate:
    return Estimate(value, np.zeros_like(like.influence))
