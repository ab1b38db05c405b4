"""Kendall's distance of the cloud's order of the list and the device's own: the share of pairs that they order unlike.

(1 - tau) / 2 of Kendall's tau (Biometrika 30, 1938): 0 for equal orders, 1 for opposite ones, 1/2 for unrelated ones.
"""

from __future__ import annotations

from torch import Tensor

from models.held import Held


def kendall(held: Held) -> Tensor:
    """[N] share in 0..1; 0 for fewer than two items."""
    places = held.srm_places.masked_fill(~held.left, held.left.shape[1])
    unlike = held.count.new_zeros(len(places))
    for column in range(places.shape[1] - 1):  # a column at a time: all pairs at once would not fit the caches
        own = places[:, column : column + 1]
        unlike += ((places[:, column + 1 :] < own) & held.left[:, column : column + 1]).sum(1)
    count = held.count[:, 0]
    return unlike / (count * (count - 1) / 2).clamp(min=1)
