"""A mean with its interval, out of batches and control variates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from simulator.outcomes import FloatArray


@dataclass(frozen=True)
class Estimate:
    """A mean, its standard error, and the degrees of freedom of that."""

    mean: float
    error: float
    freedom: int

    def interval(self, confidence: float) -> tuple[float, float]:
        """Symmetric, by Student's t. Never narrower than rounding, as some means have no chance left in them."""
        half = float(stats.t.ppf((1 + confidence) / 2, self.freedom)) * self.error
        half = math.hypot(half, 1e-6 * self.mean)
        return self.mean - half, self.mean + half


def ratio(numerator: FloatArray, denominator: FloatArray, controls: FloatArray | None = None) -> Estimate:
    """Sum over sum, [batches] each, less what controls of mean 0, [batches, controls], explain of it.

    The ratio is taken as linear in small deviations (the delta method); the controls' coefficients are those of least
    squares, one degree of freedom each.
    """
    n = len(numerator)
    plain = numerator.sum() / denominator.sum()
    deviation = (numerator - plain * denominator) / denominator.mean()
    columns = np.ones((n, 1))
    if controls is not None:
        varying = controls[:, controls.std(axis=0) > 1e-9 * np.abs(controls).max(axis=0, initial=0)]
        columns = np.hstack([columns, varying / varying.std(axis=0)])
    solution, _, rank, _ = np.linalg.lstsq(columns, deviation, rcond=1e-10)
    rest = deviation - columns @ solution
    freedom = n - int(rank)
    variance = float(rest @ rest) / freedom * float(np.linalg.pinv(columns.T @ columns, rcond=1e-12)[0, 0])
    return Estimate(float(plain + solution[0]), math.sqrt(variance), freedom)
