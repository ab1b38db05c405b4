"""SASRec: self-attentive sequential recommendation (Kang and McAuley, ICDM 2018, arXiv 1808.09781).

Pre-norm blocks of causal self-attention and a point-wise feed-forward net of the same width, item vectors scaled by
sqrt(width) on the way in, dot product with the same item vectors on the way out. One thing is different here: the
paper's positions count from the end of a left-padded window, so they are distances from the present, and every state
would have to be computed anew at every step. A device's stream has no fixed end, so this model learns a bias for each
head and distance instead and lets attention see the last `window` items only: keys and values never change once made,
and a device keeps a ring of `window` of them for each layer.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.srms.base import DotProductSrm
from scenarios.schema.recommenders import Srm as Spec


class Attention(nn.Module):
    """Causal attention over the last `window` positions, with a learned bias for each head and distance."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.heads, self.window, self.dropout = spec.heads, spec.window, spec.dropout
        self.project = nn.Linear(spec.width, 3 * spec.width)
        self.out = nn.Linear(spec.width, spec.width)
        self.by_distance = nn.Parameter(torch.zeros(spec.heads, spec.window))

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, T, width] -> queries, keys, values, each [B, heads, T, width / heads]."""
        projected: Tensor = self.project(x)
        query, key, value = projected.reshape(*x.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return query, key, value

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        logits = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias
        weights = functional.dropout(logits.softmax(-1), self.dropout, self.training)
        return weights @ value

    def _join_heads(self, mixed: Tensor) -> Tensor:
        joined: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return joined

    def _band(self, queries: int, keys: int) -> Tensor:
        """[heads, queries, keys] bias where the last query stands at the last key; -inf outside the window."""
        device = self.by_distance.device
        distance = torch.arange(keys - queries, keys, device=device)[:, None] - torch.arange(keys, device=device)
        inside = (distance >= 0) & (distance < self.window)
        bias = self.by_distance[:, distance.clamp(0, self.window - 1)]
        return bias.masked_fill(~inside, -torch.inf)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, width] -> [B, T, width]; cost grows with T x window, not with T x T."""
        length, window = x.shape[1], self.window
        if length <= window:
            query, key, value = self._split(x)
            mixed = self._attend(query, key, value, self._band(length, length))
        else:
            # Blocks of `window` queries look at their own block and the one before.
            blocks = -(-length // window)
            query, key, value = self._split(functional.pad(x, (0, 0, 0, blocks * window - length)))
            query, key, value = (part.reshape(*part.shape[:2], blocks, window, -1) for part in (query, key, value))
            key, value = (
                torch.cat([functional.pad(part, (0, 0, 0, 0, 1, 0))[:, :, :-1], part], dim=3) for part in (key, value)
            )
            bias = self._band(window, 2 * window)[:, None].repeat(1, blocks, 1, 1)
            bias[:, 0, :, :window] = -torch.inf
            mixed = self._attend(query, key, value, bias).flatten(2, 3)[:, :, :length]
        return self._join_heads(mixed)

    def step(self, ring: Tensor, seen: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """One position: ring [2, B, heads, window, width / heads], newest last, of which `seen` are filled."""
        query, key, value = self._split(x[:, None])
        ring = torch.cat([ring[:, :, :, 1:], torch.stack([key, value])], dim=3)
        bias = self.by_distance.flip(-1)[:, None]
        bias = bias.masked_fill(torch.arange(self.window, 0, -1, device=x.device) > seen + 1, -torch.inf)
        mixed = self._attend(query, ring[0], ring[1], bias)
        return ring, self._join_heads(mixed)[:, 0]


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.attention = Attention(spec)
        self.before_attention = nn.LayerNorm(spec.width)
        self.before_feed_forward = nn.LayerNorm(spec.width)
        self.feed_forward = nn.Sequential(
            nn.Linear(spec.width, spec.width), nn.ReLU(), nn.Dropout(spec.dropout), nn.Linear(spec.width, spec.width)
        )
        self.dropout = nn.Dropout(spec.dropout)

    def join(self, x: Tensor, mixed: Tensor) -> Tensor:
        """What comes after attention, position by position."""
        x = x + self.dropout(mixed)
        fed: Tensor = self.dropout(self.feed_forward(self.before_feed_forward(x)))
        return x + fed


Memory = tuple[tuple[Tensor, ...], int]


class Model(DotProductSrm):
    """See the head of this file. Memory: a ring of keys and values for each layer, and how many items were seen."""

    def __init__(self, n_items: int, spec: Spec) -> None:
        super().__init__(n_items, spec)
        self.blocks = nn.ModuleList(Block(spec) for _ in range(spec.layers))
        self.norm = nn.LayerNorm(spec.width)
        self.dropout = nn.Dropout(spec.dropout)

    def _layers(self) -> list[Block]:
        return cast("list[Block]", list(self.blocks))

    def _enter(self, items: Tensor) -> Tensor:
        entered: Tensor = self.dropout(self.items(items.clamp(min=0)) * math.sqrt(self.spec.width))
        return entered

    def _leave(self, x: Tensor) -> Tensor:
        states: Tensor = self.norm(x)
        return states

    def encode(self, items: Tensor) -> Tensor:
        """See `Srm.encode`; states are [B, T, width]."""
        x = self._enter(items)
        for block in self._layers():
            x = block.join(x, block.attention(block.before_attention(x)))
        return self._leave(x)

    def start(self, batch: int) -> Memory:
        """See `Srm.start`."""
        spec, like = self.spec, self.items.weight
        empty = like.new_zeros(2, batch, spec.heads, spec.window, spec.width // spec.heads)
        return (empty,) * spec.layers, 0

    def step(self, memory: Memory, item: Tensor) -> tuple[Memory, Tensor]:
        """See `Srm.step`."""
        rings, seen = memory
        x, kept = self._enter(item), []
        for block, ring in zip(self._layers(), rings, strict=True):
            ring, mixed = block.attention.step(ring, seen, block.before_attention(x))
            x = block.join(x, mixed)
            kept.append(ring)
        return (tuple(kept), seen + 1), self._leave(x)
