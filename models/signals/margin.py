"""How much likelier the device's own model finds its best item of the list than its second: small where it wavers.

Margin of a classifier (Scheffer, Decomain and Wrobel, IDA 2001), of the softmax of the SRM's scores over the items
left. The smaller, the less sure: give it a negative weight to ask where the model is unsure.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.held import Held


def margin(held: Held) -> Tensor:
    """[N] difference of the two highest probabilities, in 0..1; 0 where nothing is left, 1 for a single item."""
    odds = held.srm.masked_fill(~held.left, -torch.inf).softmax(1).masked_fill(~held.left, 0)
    best = odds.topk(min(2, odds.shape[1]), dim=1).values
    return best[:, 0] - best[:, 1:].sum(1)
