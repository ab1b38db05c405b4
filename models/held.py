"""What devices see of the lists that they hold: the input of fusion and of the request signals, in batches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

OWN = 50
"""A device's own best items, of what it holds of the catalogue, that signals may compare the list with."""


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
        return self.places(self.srm)

    def places(self, scores: Tensor) -> Tensor:
        """[N, L] scores -> [N, L] place from 0 among the items left, highest first; ties in the cloud's order."""
        order = _order(scores, self.left)
        columns = torch.arange(order.shape[1], device=order.device).expand_as(order)
        return torch.empty_like(order).scatter_(1, order, columns)

    def pick(self, rows: Tensor) -> Held:
        """The moments of these rows."""
        return Held(self.llm[rows], self.srm[rows], self.left[rows])


@dataclass(frozen=True)
class HeldSince(Held):
    """The same with what a device remembers since its list came, that is since the step that the list was made for.

    user: [N] whose device it is. age: [N] clicks since then.
    then: [N, L] scores of the device's own model at that step.
    taken: [N, L] after how many clicks since then the item was taken; -1 where it was not, or where there is none.
    state, state_then: [N, ...] of the device's own model now and at that step.
    lacks: [N, K] whether the list lacks the j-th best item by the device's own model, of what the device holds of the
    catalogue and the user has not consumed; false where there is no j-th. K is 0 where the device holds nothing.
    odds: [N, K] the probability that the device's own model gives that item, among all of these; 0 where there is none.
    """

    user: Tensor
    age: Tensor
    then: Tensor
    taken: Tensor
    state: Tensor
    state_then: Tensor
    lacks: Tensor
    odds: Tensor

    @cached_property
    def then_places(self) -> Tensor:
        """[N, L] place from 0 among the items left, in the order of the device's model when the list came."""
        return self.places(self.then)


def _order(scores: Tensor, left: Tensor) -> Tensor:
    """[N, L] columns in the order of their scores, highest first, ties by column; those that are not left come last."""
    if not _whole(scores):
        return scores.masked_fill(~left, -torch.inf).sort(dim=1, descending=True, stable=True).indices
    keys = _falling(scores).masked_fill_(~left, 0x7FFFFFFF << 32)
    keys |= torch.arange(scores.shape[1], device=scores.device)
    keys.numpy().sort(axis=1)
    return keys & 0xFFFFFFFF


def in_order(scores: Tensor, columns: Tensor) -> Tensor:
    """[N, L] scores of [N, L] columns -> the columns in the order of their scores, highest first, ties by column."""
    if not _whole(scores):
        columns, order = columns.sort(1)
        return columns.gather(1, scores.gather(1, order).sort(dim=1, descending=True, stable=True).indices)
    keys = _falling(scores) | columns
    keys.numpy().sort(axis=1)
    return keys & 0xFFFFFFFF


def _whole(scores: Tensor) -> bool:
    """Whether scores are put in order as whole numbers.

    That is ten times as fast: numpy sorts these by vector instructions, so score and column go into one.
    """
    return scores.dtype == torch.float32 and scores.device.type == "cpu"


def _falling(scores: Tensor) -> Tensor:
    """[N, L] whole numbers with 32 bits free below that fall as the scores rise.

    The bits of a float, read as a whole number, rise with it; those of negative ones (-0.0 aside) the other way.
    """
    bits = (scores + 0.0).view(torch.int32)
    return (~(bits ^ ((bits >> 31) & 0x7FFFFFFF))).long() << 32
