"""Where the warm-up of a run ends: MSER-5.

A run that starts empty is not yet what it will be. MSER-5 (White, Simulation 69(6), 1997; White, Cobb & Spratt, WSC
2000) averages a series in batches of five and cuts off as many batches as leave the narrowest interval around the mean
of the rest: the cut d minimises the sum of squares of what is left, over the square of its number.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.errors import TableError

BATCH = 5
FEWEST_BATCHES = 10


def mser5(series: npt.NDArray[np.float64]) -> int | None:
    """How many observations at the start of `series` to leave out; None where no cut in the first half is best.

    None says that the run is too short to tell its warm-up from its steady state (the rule's own advice). Raises
    `TableError` below `FEWEST_BATCHES` batches, or where a value is not finite.
    """
    if len(series) < BATCH * FEWEST_BATCHES:
        raise TableError(f"a warm-up needs {BATCH * FEWEST_BATCHES} observations to be seen, got {len(series)}")
    if not np.isfinite(series).all():
        raise TableError("a warm-up can only be found in finite numbers")
    whole = len(series) // BATCH
    means = series[: whole * BATCH].reshape(whole, BATCH).mean(axis=1)
    means = means - means.mean()  # squares of a large level would drown the differences
    # Sums over the tail that starts at each cut; the last BATCH cuts leave too little to have a spread.
    left = np.arange(whole, 0, -1)[:-BATCH]
    total = np.cumsum(means[::-1])[::-1][:-BATCH]
    squares = np.cumsum(means[::-1] ** 2)[::-1][:-BATCH]
    spread = np.maximum(squares - total**2 / left, 0) / left.astype(float) ** 2
    cut = int(np.argmin(spread))
    return cut * BATCH if cut <= whole // 2 else None
