"""Share of the cloud's first 10 items of the list that are not among the device's own first 10 of it.

1 - |A and B| / k, the set distance at depth k of Fagin, Kumar and Sivakumar (SIAM J. Discrete Math. 17, 2003).
"""

from __future__ import annotations

from torch import Tensor

from models.held import Held

TOP = 10


def top_overlap(held: Held) -> Tensor:
    """[N] share in 0..1; over what is left where that is less than 10, and 0 where nothing is."""
    both = (held.left & (held.llm_places < TOP) & (held.srm_places < TOP)).sum(1)
    depth = held.count[:, 0].clamp(1, TOP)
    return (depth.where(held.count[:, 0] > 0, 0) - both) / depth
