"""The k-core of a user-item graph: everybody left has at least k interactions, and so has every item."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scenarios.behaviour import IntArray


def k_core(users: IntArray, items: IntArray, k: int) -> npt.NDArray[np.bool_]:
    """[interactions] which of them stay. users, items: [interactions] numbers from 0.

    Users and items with too few are taken away until none is left that has; the result does not depend on the order
    (Seidman, Network structure and minimum degree, Social Networks 1983).
    """
    kept = np.ones(len(users), dtype=np.bool_)
    while True:
        enough = (np.bincount(users[kept], minlength=users.max(initial=0) + 1) >= k)[users]
        enough &= (np.bincount(items[kept], minlength=items.max(initial=0) + 1) >= k)[items]
        enough &= kept
        if enough.sum() == kept.sum():
            return kept
        kept = enough
