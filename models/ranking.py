"""Places in the order of a whole catalogue, with what the user has consumed left out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.reading import spans
from scenarios.behaviour import IntArray


def consumed(items: npt.NDArray[np.int32], begins: IntArray, ends: IntArray) -> tuple[IntArray, IntArray]:
    """(rows, ids) of all items in items[begins[row] : ends[row]], row by row."""
    lengths = ends - begins
    return np.repeat(np.arange(len(begins)), lengths), items[spans(begins, lengths)].astype(np.int64)


def places(scores: Tensor, targets: Tensor) -> Tensor:
    """([N, I] scores, -inf for what is left out; [N] columns) -> [N] places from 1, 0 where the target is left out.

    Equal scores stand in the order of the columns.
    """
    own = scores.gather(1, targets[:, None])
    before = (scores > own).sum(1)
    equal = scores == own
    # Ties are rare; only where there are some, their order has to be counted.
    tied = torch.nonzero(equal.sum(1) > 1)[:, 0]
    if len(tied):
        earlier = torch.arange(scores.shape[1], device=scores.device) < targets[tied][:, None]
        before[tied] += (equal[tied] & earlier).sum(1)
    return torch.where(own[:, 0] == -torch.inf, 0, before + 1)
