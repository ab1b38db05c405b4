"""A trie of real items as flat tensors: whatever walks down its edges names an item of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.llms.item_codes import PAD, ItemCodes


@dataclass(frozen=True)
class Trie:
    """Nodes are numbered level by level, the root 0, children of one node side by side with rising tokens.

    first, count: [nodes] the first child, and how many there are; a leaf is its own only child, so that whoever arrived
    early may wait. token: [nodes] of the edge that leads there. parent: [nodes], the root's is itself. item: [nodes]
    the item that a leaf is, -1 elsewhere. below: [nodes] leaves at or under the node. path: [n_items, depth] the nodes
    on the way to an item, its leaf repeated. starts: [depth + 2] where each level begins. widest: [depth] the most
    children that a node has at each level.
    """

    first: Tensor
    count: Tensor
    token: Tensor
    parent: Tensor
    item: Tensor
    below: Tensor
    path: Tensor
    starts: tuple[int, ...]
    widest: tuple[int, ...]

    @property
    def depth(self) -> int:
        """Tokens of the longest answer."""
        return self.path.shape[1]

    def to(self, device: torch.device) -> Trie:
        """The same on another device."""
        held = {each.name: getattr(self, each.name) for each in fields(self)}
        moved: dict[str, Any] = {name: each.to(device) for name, each in held.items() if isinstance(each, Tensor)}
        return replace(self, **moved)

    def left(self, gone: Tensor) -> Tensor:
        """[B, n_items] items that must not be named -> [B, nodes] whether an item is left at or under each node."""
        counts = self.below.repeat(len(gone), 1)
        counts[:, 0] -= gone.sum(1)
        for level in self.path.T:
            counts.index_add_(1, level, -gone.long())
        return counts > 0

    def find(self, answers: Tensor) -> Tensor:
        """[..., depth] tokens -> [...] the items that they name, -1 where they name none."""
        node = torch.zeros_like(answers[..., 0])
        lost = torch.zeros_like(node, dtype=torch.bool)
        for level in range(self.depth):
            # Where a token would stand among a node's children: those are sorted, and each level's widths are known.
            child = self.first[node][..., None] + torch.arange(self.widest[level], device=node.device)
            real = torch.arange(self.widest[level], device=node.device) < self.count[node][..., None]
            child = torch.where(real, child, 0)
            leaf = self.item[node] >= 0
            said = answers[..., level]
            match = real & (self.token[child] == said[..., None])
            match = torch.where(leaf[..., None], real & (said == PAD)[..., None], match)
            lost |= ~match.any(-1)
            node = torch.where(lost, node, (child * match).sum(-1))
        return torch.where(lost, -1, self.item[node])


def build(codes: ItemCodes) -> Trie:
    """The trie of the items' answers. Raises `ValueError` where two items' are alike, or one begins another."""
    answers = codes.answers()
    n_items, depth = answers.shape
    order = np.lexsort(answers.T[::-1])
    rows = answers[order]
    parent, token, item, starts = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)], [np.full(1, -1)], [0, 1]
    path = np.zeros((n_items, depth), np.int64)
    at = np.zeros(n_items, np.int64)
    for level in range(depth):
        going = rows[:, level] != PAD
        # A new node wherever the parent or the token changes from one row to the next.
        fresh = going.copy()
        fresh[1:] &= (at[1:] != at[:-1]) | (rows[1:, level] != rows[:-1, level])
        node = starts[-1] - 1 + np.cumsum(fresh)
        parent.append(at[fresh])
        token.append(rows[fresh, level])
        at = np.where(going, node, at)
        path[order, level] = at
        last = going & (rows[:, level + 1] == PAD) if level + 1 < depth else going
        named = np.full(int(fresh.sum()), -1)
        named[at[last] - starts[-1]] = order[last]
        item.append(named)
        starts.append(starts[-1] + int(fresh.sum()))
    parents, items = np.concatenate(parent), np.concatenate(item)
    nodes = len(parents)
    leaf = items >= 0
    count = np.bincount(parents[1:], minlength=nodes)
    if leaf.sum() != n_items or (count[leaf] > 0).any():
        raise ValueError("item codes: two items have the same code, or one's code begins another's")
    first = np.searchsorted(parents[1:], np.arange(nodes)) + 1
    below = np.zeros(nodes, np.int64)
    np.add.at(below, 0, n_items)
    for level in range(depth):
        ends_here = path[:, level] if level == 0 else path[path[:, level] != path[:, level - 1], level]
        np.add.at(below, ends_here, 1)
    widest = tuple(max(1, int(count[starts[level] : starts[level + 1]].max(initial=0))) for level in range(depth))
    return Trie(
        first=torch.from_numpy(np.where(leaf, np.arange(nodes), first)),
        count=torch.from_numpy(np.where(leaf, 1, count)),
        token=torch.from_numpy(np.concatenate(token)),
        parent=torch.from_numpy(parents),
        item=torch.from_numpy(items),
        below=torch.from_numpy(below),
        path=torch.from_numpy(path),
        starts=tuple(starts),
        widest=widest,
    )
