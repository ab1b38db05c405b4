"""How far a fleet's accuracy can be trusted: 95% intervals over users and replications.

An accuracy is a ratio: a sum over interactions (hits, gains) over the number of interactions. Its interactions are not
independent: those of one user (with all clones and replications) share the user's taste, those of one replication share
the network's weather. Users and replications are crossed, so the variance is clustered two ways. Tables here are
[replications, users].

The ratio is linearised (Cochran, Sampling Techniques, 1977, ch. 6): its error is, to first order, the sum of the
*influences* (x - ratio * n) / sum(n). The variance of a sum over crossed clusters is V_users + V_replications - V_both
(Cameron, Gelbach & Miller, J. Business & Economic Statistics 29(2), 2011; Owen, The pigeonhole bootstrap, Annals of
Applied Statistics 1(2), 2007). Their V_both contains 1/R of the variance between users, which is harmless with many
replications and halves it with two; so V_both is taken from the residuals of the two-way table, which makes each term
unbiased (Searle, Casella & McCulloch, Variance Components, 1992, ch. 4). The quantile is Student's t with
Satterthwaite's degrees of freedom (Biometrics Bulletin 2, 1946), so few replications widen an interval only as far as
replications matter to it. Where V_replications comes out below V_both it counts as equal to it: this errs on the safe
side, at worst (a few replications, and nothing but noise in every cell) with 98% where 95% is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.errors import TableError

LEVEL = 0.95

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and what a fresh draw of users and replications would do to it.

    influence: [replications, users] share of each in the number's error. Any smooth function of estimates over the same
    users and replications is an estimate too: its influence is the sum of theirs, times the derivatives.
    """

    value: float
    influence: FloatArray

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(self.value + other.value, self.influence + _paired(other, self))

    def __sub__(self, other: Estimate) -> Estimate:
        return self + other.scaled(-1)

    def __mul__(self, other: Estimate) -> Estimate:
        influence = self.value * _paired(other, self) + other.value * self.influence
        return Estimate(self.value * other.value, influence)

    def __truediv__(self, other: Estimate) -> Estimate:
        quotient = self.value / other.value
        return Estimate(quotient, (self.influence - quotient * _paired(other, self)) / other.value)

    def scaled(self, factor: float) -> Estimate:
        """The estimate times a known number."""
        return Estimate(factor * self.value, factor * self.influence)


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95% interval. Bounds and error are NaN for one user in one replication: nothing to compare."""

    value: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float


def ratio(sums: FloatArray, counts: FloatArray) -> Estimate:
    """Estimate sum(sums) / sum(counts) from tables [replications, users], e.g. hits and interactions.

    Raises `TableError` where the tables differ in shape or nothing was counted.
    """
    if sums.shape != counts.shape or sums.ndim != 2:
        raise TableError(f"expected two tables [replications, users], got {sums.shape} and {counts.shape}")
    total = float(counts.sum())
    if total <= 0:
        raise TableError("a ratio over no interactions has no value")
    value = float(sums.sum()) / total
    return Estimate(value, (sums - value * counts) / total)


def interval(estimate: Estimate) -> Interval:
    """The 95% interval of an estimate, clustered by user and by replication."""
    variance, freedom = _variance(estimate.influence)
    error = float(np.sqrt(variance))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error if freedom > 0 else np.nan
    return Interval(estimate.value, estimate.value - reach, estimate.value + reach, error, freedom)


def narrowest(estimate: Estimate) -> float:
    """Half of the 95% interval that no number of further replications undercuts: what the choice of users leaves.

    NaN where there are no two replications, so that users and chance cannot be told apart.
    """
    replications, users = estimate.influence.shape
    if replications == 1 or users == 1:
        return float("nan")
    by_user, _, by_both = _components(estimate.influence)
    return float(stats.t.ppf((1 + LEVEL) / 2, users - 1)) * float(np.sqrt(max(by_user - by_both, 0.0)))


def p_value(estimate: Estimate) -> float:
    """Two-sided, of the hypothesis that the true value is 0; 1 where the estimate is 0 without error."""
    variance, freedom = _variance(estimate.influence)
    if not variance > 0:
        return 1.0 if estimate.value == 0 else (0.0 if variance == 0 else np.nan)
    return float(2 * stats.t.sf(abs(estimate.value) / np.sqrt(variance), freedom))


def _variance(influence: FloatArray) -> tuple[float, float]:
    """Variance of the sum of all influences, and its degrees of freedom; NaN and 0 where there is one cell only."""
    replications, users = influence.shape
    scores = influence * influence.size  # the estimate's error is their mean
    if influence.size == 1:
        return np.nan, 0.0
    if replications == 1 or users == 1:
        return float(scores.var(ddof=1)) / scores.size, float(scores.size - 1)

    by_user, by_replication, by_both = _components(influence)
    both_freedom = (users - 1) * (replications - 1)
    if by_replication <= by_both:
        return by_user, float(users - 1)
    variance = by_user + by_replication - by_both
    spread = by_user**2 / (users - 1) + by_replication**2 / (replications - 1) + by_both**2 / both_freedom
    return variance, variance**2 / spread


def _components(influence: FloatArray) -> tuple[float, float, float]:
    """Mean squares of the two-way table (users, replications, both), divided so that each is a variance of the mean."""
    replications, users = influence.shape
    scores = influence * influence.size
    of_user, of_replication = scores.mean(axis=0), scores.mean(axis=1, keepdims=True)
    rest = scores - of_user - of_replication + scores.mean()
    by_user = float(of_user.var(ddof=1)) / users
    by_replication = float(of_replication.var(ddof=1)) / replications
    by_both = float((rest**2).sum()) / ((users - 1) * (replications - 1)) / scores.size
    return by_user, by_replication, by_both


def _paired(other: Estimate, with_: Estimate) -> FloatArray:
    if other.influence.shape != with_.influence.shape:
        raise TableError(
            f"only estimates over the same replications and users can be compared, not {with_.influence.shape} "
            f"and {other.influence.shape} of them"
        )
    return other.influence
