"""What devices see of the lists that they hold: the input of fusion and of the request signals, in batches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Held:
    """N moments of devices, each with a list of up to L items in the cloud's order; the column is the place in it.

    llm, srm: [N, L] the scores that came with the list and those of the device's own model now.
    left: [N, L] which items are still in the list: real ones, and not consumed since it came.
    """

    llm: Tensor
    srm: Tensor
    left: Tensor

    @cached_property
    def count(self) -> Tensor:
        """[N, 1] items left, of the scores' type."""
        return self.left.sum(1, keepdim=True).to(self.llm.dtype)

    @cached_property
    def llm_places(self) -> Tensor:
        """[N, L] place from 0 among the items left, in the cloud's order; meaningless where an item is gone."""
        return self.left.cumsum(1) - 1

    @cached_property
    def srm_places(self) -> Tensor:
        """[N, L] place from 0 among the items left, in the order of the device's model; ties in the cloud's order."""
        order = self.srm.masked_fill(~self.left, -torch.inf).sort(dim=1, descending=True, stable=True).indices
        columns = torch.arange(order.shape[1], device=order.device).expand_as(order)
        return torch.empty_like(order).scatter_(1, order, columns)

    def pick(self, rows: Tensor) -> Held:
        """The moments of these rows."""
        return Held(self.llm[rows], self.srm[rows], self.left[rows])
