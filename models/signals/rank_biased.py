"""Rank-biased distance of the cloud's order of the list and the device's own: 1 - RBO (Webber, Moffat and Zobel, 2010).

RBO is the overlap of the first d items of both orders, averaged over depths d with weights that fall as p^d
(doi 10.1145/1852102.1852106, eq. 32 for its extrapolated form). p = 0.9 puts 86% of the weight on the first ten places.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.held import Held

P = 0.9


def rank_biased(held: Held) -> Tensor:
    """[N] distance in 0..1; 0 for equal orders, and where nothing is left."""
    length = held.left.shape[1]
    depths = torch.arange(1, length + 1, dtype=torch.float64, device=held.left.device)
    # An item is in both heads from the depth of its lower place on, so its share of the sum is that of those depths.
    sums = torch.cat([depths.new_zeros(1), (P**depths / depths).cumsum(0)])
    count = held.left.sum(1)
    lower = torch.maximum(held.llm_places, held.srm_places).clamp(0, length)
    shares = (sums[count][:, None] - sums[lower]).masked_fill(~held.left, 0).sum(1)
    overlap = P ** count.to(torch.float64) + (1 - P) / P * shares
    return (1 - overlap).clamp(min=0).to(held.llm.dtype)
