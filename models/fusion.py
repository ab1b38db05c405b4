"""How a device orders its list: alpha * LLM + (1 - alpha) * SRM over the items left in it (LSC4Rec, arXiv 2501.05647).

The paper leaves its normaliser open. `scores` standardises both sides over the items left; `ranks` takes minus the
place in either order; `probabilities` is on the scale of the authors' code, minus the place in the LLM's order as a
share of the list's length against the sigmoid of the SRM's score. Equal fused scores stand in the cloud's order.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.held import Held
from scenarios.schema.fleet import Fusion


def fuse(held: Held, fusion: Fusion) -> Tensor:
    """[N, L] fused scores, higher first; meaningless where an item is gone."""
    match fusion.over:
        case "scores":
            llm, srm = _standardised(held.llm, held), _standardised(held.srm, held)
        case "ranks":
            llm, srm = -held.llm_places.to(held.llm.dtype), -held.srm_places.to(held.llm.dtype)
        case "probabilities":
            llm = -held.llm_places.to(held.llm.dtype) / held.llm.shape[1]
            # The sigmoid minus 1/2; the place is counted from 0, which moves all items alike.
            srm = ((held.srm if fusion.raw else _standardised(held.srm, held)) / 2).tanh() / 2
            if fusion.gate is not None:
                srm = torch.where(srm.abs() > fusion.gate, srm, 0)
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
