"""Candidate lists of the cloud's model, in batches."""

from __future__ import annotations

import torch
from torch import Tensor

from models.llms.base import Llm, searching


def lists_after(llm: Llm, states: Tensor, rows: Tensor, gone: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """([N, length] items best first, -1 where there are no more; [N, length] scores, 0 there) after [N, ...] states.

    rows, gone: which item is left out of which list.
    """
    searcher = searching(llm)
    if searcher is None:
        logits = llm.score_all(states)
        logits[rows, gone] = -torch.inf
        ids, scores = best(logits, length)
    else:
        left_out = torch.zeros(len(states), llm.n_items, dtype=torch.bool, device=states.device)
        left_out[rows, gone] = True
        found = searcher.lists(states, left_out, length)
        ids, scores = found.items, found.scores
    there = scores > -torch.inf
    return ids.where(there, -1), scores.where(there, 0)


def best(scores: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """[N, I] scores -> ([N, length] columns, [N, length] scores), highest first, equal ones in the order of columns."""
    top = scores.topk(min(length + 1, scores.shape[1]), sorted=True)
    columns, values = top.indices[:, :length], top.values[:, :length]
    # topk may order and choose among equal scores as it likes: put them in order, and choose again where it chose.
    columns, order = columns.sort(1)
    values, order = values.gather(1, order).sort(dim=1, descending=True, stable=True)
    columns = columns.gather(1, order)
    if top.values.shape[1] > length:
        chose = torch.nonzero((top.values[:, length] == top.values[:, length - 1]) & values[:, -1].isfinite())[:, 0]
        if len(chose):
            again = scores[chose].sort(dim=1, descending=True, stable=True)
            columns[chose], values[chose] = again.indices[:, :length], again.values[:, :length]
    return columns, values
