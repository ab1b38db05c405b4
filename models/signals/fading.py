"""How much less the device's own model makes of the list than when it came: log-sum-exp of its scores, then minus now.

Own formula. The SRM is trained with a softmax over all items, so the sum of exp(score) over the list stands for the
probability that the next item is in it, but for a factor that a device without the catalogue cannot know. Over the
items that are left, so that what was consumed has no say.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.held import HeldSince


def fading(held: HeldSince) -> Tensor:
    """[N] in nats, of any sign; 0 for a fresh list, and where nothing is left."""
    then, now = (scores.masked_fill(~held.left, -torch.inf).logsumexp(1) for scores in (held.then, held.srm))
    return (then - now).where(held.left.any(1), 0)
