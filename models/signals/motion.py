"""How far the state of the device's own model has turned since the list came: 1 - cosine of then and now.

What IntellectReq's detector compares (arXiv 2302.07335): the behaviour now with that when the cloud last answered.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cosine_similarity

from models.held import HeldSince


def motion(held: HeldSince) -> Tensor:
    """[N] from 0 (same direction) to 2 (opposite); states of more dimensions are taken as one vector."""
    now, then = (state.flatten(1).to(held.llm.dtype) for state in (held.state, held.state_then))
    return 1 - cosine_similarity(now, then)
