"""Kendall's distance with weights that favour the top of the cloud's order.

A pair at places i and j from 0 weighs 1 / (i + 1) + 1 / (j + 1): the additive hyperbolic weights of Vigna's tau (WWW
2015, arXiv 1404.3325), as in `scipy.stats.weightedtau` with the cloud's places as ranks. (1 - tau) / 2 of it.
"""

from __future__ import annotations

from torch import Tensor

from models.held import Held


def top_kendall(held: Held) -> Tensor:
    """[N] share of the pairs' weight in 0..1; 0 for fewer than two items."""
    weights = (1 / (held.llm_places + 1).to(held.llm.dtype)).masked_fill(~held.left, 0)
    places = held.srm_places.masked_fill(~held.left, held.left.shape[1])
    unlike = weights.new_zeros(len(places))
    for column in range(places.shape[1] - 1):
        own, weight = places[:, column : column + 1], weights[:, column : column + 1]
        crossed = (places[:, column + 1 :] < own) & held.left[:, column : column + 1]
        unlike += ((weights[:, column + 1 :] + weight) * crossed).sum(1)
    total = weights.sum(1) * (held.count[:, 0] - 1)
    return unlike / total.where(total > 0, 1)
