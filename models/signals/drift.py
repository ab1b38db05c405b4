"""How far the device's own order of the list has moved since the list came: Spearman's footrule of then and now.

Unlike the footrule between cloud and device it is 0 for a fresh list, so it tells age from lasting disagreement.
"""

from __future__ import annotations

from torch import Tensor

from models.held import HeldSince


def drift(held: HeldSince) -> Tensor:
    """[N] mean absolute displacement in places over the items left; 0 where nothing is left."""
    apart = (held.then_places - held.srm_places).abs() * held.left
    return apart.sum(1).to(held.llm.dtype) / held.count[:, 0].clamp(min=1)
