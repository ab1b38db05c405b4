"""Share of the device's own best items that the list lacks: the SRM's top 10 over what the device holds.

Own formula; in the project's first prototype it beat the disagreement of orders (footrule) as a sign of staleness. It
needs the vectors of items outside the list (`fleet.catalogue`), which cost the device memory: the results count them.
"""

from __future__ import annotations

from torch import Tensor

from models.held import HeldSince

TOP = 10


def coverage(held: HeldSince) -> Tensor:
    """[N] share in 0..1; 0 where the device holds nothing to compare with."""
    lacks = held.lacks[:, :TOP]
    return lacks.sum(1).to(held.llm.dtype) / max(lacks.shape[1], 1)
