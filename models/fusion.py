"""How a device orders its list: alpha * LLM + (1 - alpha) * SRM over the items left in it (LSC4Rec, arXiv 2501.05647).

The paper leaves its normaliser open. `scores` standardises both sides over the items left; `ranks` takes minus the
place in either order, as the authors' code does for the LLM's side. Equal fused scores stand in the cloud's order.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.held import Held
from scenarios.schema.fleet import Fusion


def fuse(held: Held, fusion: Fusion) -> Tensor:
    """[N, L] fused scores, higher first; meaningless where an item is gone."""
    if fusion.over == "ranks":
        llm, srm = -held.llm_places.to(held.llm.dtype), -held.srm_places.to(held.llm.dtype)
    else:
        llm, srm = _standardised(held.llm, held), _standardised(held.srm, held)
    return fusion.alpha * llm + (1 - fusion.alpha) * srm


def rank_in(held: Held, fused: Tensor, columns: Tensor) -> Tensor:
    """([N, L] fused scores, [N] columns of items left) -> [N] their ranks from 1 among the items left."""
    own = fused.gather(1, columns[:, None])
    earlier = torch.arange(fused.shape[1], device=fused.device) < columns[:, None]
    return (held.left & ((fused > own) | ((fused == own) & earlier))).sum(1) + 1


def _standardised(scores: Tensor, held: Held) -> Tensor:
    """Mean 0 and deviation 1 over the items left; 0 where they are all alike."""
    count = held.count.clamp(min=1)
    centred = (scores - (scores * held.left).sum(1, keepdim=True) / count) * held.left
    deviation = (centred.square().sum(1, keepdim=True) / count).sqrt()
    return centred / torch.where(deviation > 0, deviation, 1)
