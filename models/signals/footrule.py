"""Spearman's footrule between the cloud's order of the list and the device's own, as a mean over the items left.

The request rule of LSC4Rec (arXiv 2501.05647), taken device by device: its released code averages over batches of 16
users and adds a penalty for invalid items, which a list of real items never has. Two random orders of n items lie
(n - 1/n) / 3 apart in the mean, opposite ones floor(n * n / 2) / n, equal ones 0.
"""

from __future__ import annotations

from torch import Tensor

from models.held import Held


def footrule(held: Held) -> Tensor:
    """[N] mean absolute displacement in places; 0 where nothing is left."""
    apart = (held.llm_places - held.srm_places).abs() * held.left
    return apart.sum(1).to(held.llm.dtype) / held.count[:, 0].clamp(min=1)
