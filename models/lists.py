"""Candidate lists of the cloud's model, in batches."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.held import in_order
from models.llms.base import Llm, searching


def lists_after(llm: Llm, states: Tensor, rows: Tensor, gone: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """([N, length] items best first, -1 where there are no more; [N, length] scores, 0 there) after [N, ...] states.

    rows, gone: which item is left out of which list.
    """
    searcher = searching(llm)
    if searcher is None:
        logits = llm.score_all(states).contiguous()
        logits.view(-1).scatter_(0, rows * logits.shape[1] + gone, -torch.inf)
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
    columns = _highest(scores, min(length + 1, scores.shape[1]))
    columns = in_order(scores.gather(1, columns), columns)
    values = scores.gather(1, columns)
    beyond, columns, values = values[:, length:], columns[:, :length], values[:, :length]
    # Which of equal scores were chosen is chance: choose again where some were left.
    if beyond.shape[1]:
        chose = torch.nonzero((beyond[:, 0] == values[:, -1]) & values[:, -1].isfinite())[:, 0]
        if len(chose):
            again = scores[chose].sort(dim=1, descending=True, stable=True)
            columns[chose], values[chose] = again.indices[:, :length], again.values[:, :length]
    return columns, values


def _highest(scores: Tensor, count: int) -> Tensor:
    """[N, I] scores -> [N, count] columns of the highest, in any order, any of equal ones.

    Columns are taken in groups first. Where `count` groups have a head as high as that of any other, nothing in the
    others is higher than the lowest of these heads: the highest are in these groups.
    """
    columns = scores.shape[1]
    # As many heads to choose among as members of the groups chosen then, about.
    size = round((columns / count) ** 0.5)
    if size < 2:
        return _top(scores, count)
    groups = columns // size
    heads = scores[:, : size * groups].view(len(scores), size, groups).amax(1)
    members = torch.arange(size, device=scores.device)[:, None] * groups + _top(heads, count)[:, None, :]
    rest = torch.arange(size * groups, columns, device=scores.device).expand(len(scores), -1)
    among = torch.cat([members.flatten(1), rest], 1)
    return among.gather(1, _top(scores.gather(1, among), count))


def _top(scores: Tensor, count: int) -> Tensor:
    """The same, among all of them at once."""
    if scores.device.type != "cpu" or scores.dtype not in (torch.float32, torch.float64):
        return scores.topk(count, sorted=False).indices
    # numpy chooses by vector instructions, in half the time.
    return torch.from_numpy(np.argpartition(scores.numpy(), -count, axis=1)[:, -count:])


class Kept:
    """The lists of all cuts, as they are made; forgotten when they are too many, to begin anew.

    cuts: number of them. length: of a list. room: lists that are kept.
    """

    def __init__(self, cuts: int, length: int, room: int, like: Tensor) -> None:
        self._at = torch.full((cuts,), -1, dtype=torch.int32, device=like.device)
        self._ids = torch.empty((min(room, cuts), length), dtype=torch.int32, device=like.device)
        self._scores = torch.empty(self._ids.shape, dtype=like.dtype, device=like.device)
        self._used = 0

    def has(self, cuts: Tensor) -> Tensor:
        """[N] which of these are kept."""
        return self._at[cuts] >= 0

    def get(self, cuts: Tensor) -> tuple[Tensor, Tensor]:
        """([N, L] ids, [N, L] scores) of lists that are kept."""
        at = self._at[cuts]
        return self._ids[at].long(), self._scores[at]

    def put(self, cuts: Tensor, ids: Tensor, scores: Tensor) -> None:
        """Keep these, no cut of which is kept yet."""
        if self._used + len(cuts) > len(self._ids):
            self._at.fill_(-1)
            self._used = 0
        cuts = cuts[: len(self._ids)]
        span = slice(self._used, self._used + len(cuts))
        self._ids[span], self._scores[span] = ids[: len(cuts)].int(), scores[: len(cuts)]
        self._at[cuts] = torch.arange(span.start, span.stop, dtype=torch.int32, device=cuts.device)
        self._used = span.stop
