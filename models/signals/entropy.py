"""Entropy of the device's own model over the list, in nats: the higher, the less sure it is of any item left in it.

The ordinary measure of a classifier's uncertainty (Shannon 1948), of the softmax of the SRM's scores.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.held import Held


def entropy(held: Held) -> Tensor:
    """[N] from 0 to log of the items left; 0 where nothing is left."""
    logs = held.srm.masked_fill(~held.left, -torch.inf).log_softmax(1)
    return -(logs.exp() * logs).masked_fill(~held.left, 0).sum(1)
