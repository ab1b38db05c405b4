"""DIN: deep interest network (Zhou et al., KDD 2018, arXiv 1706.06978), in the form of LSC4Rec's released code.

The candidate looks at the last `window` items: both sides pass a dense layer with tanh, scaled dot-product attention
pools the history, and a net of 2 x width, width and 1 units over (candidate, pooled history) gives the score. There is
no state but the window of ids itself, and every candidate meets it anew, which makes DIN dear.
"""

from __future__ import annotations

import math
from itertools import repeat

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.srms.base import PAD, Srm
from scenarios.schema.recommenders import Srm as Spec

PAIRS = 32_768
"""Pairs of a history and a candidate that are scored at once; more would leave the processor's caches."""


class Model(Srm):
    """See the head of this file. Memory and state: the last `window` ids [B, window], newest last."""

    OPTIONS = {"negatives": 64}
    JUDGED = 2_000

    def __init__(self, n_items: int, spec: Spec) -> None:
        super().__init__(n_items, spec)
        width = spec.width
        self.candidate = nn.Linear(width, width)
        self.history = nn.Linear(width, width)
        self.first_of_candidate = nn.Linear(width, 2 * width)
        self.first_of_history = nn.Linear(width, 2 * width, bias=False)
        self.rest = nn.Sequential(nn.Tanh(), nn.Linear(2 * width, width), nn.Tanh(), nn.Linear(width, 1))
        self.dropout = nn.Dropout(spec.dropout)

    def encode(self, items: Tensor) -> Tensor:
        """See `Srm.encode`; states are [B, T, window] ids."""
        return functional.pad(items, (self.spec.window - 1, 0), value=PAD).unfold(1, self.spec.window, 1)

    def start(self, batch: int) -> Tensor:
        """See `Srm.start`."""
        return torch.full((batch, self.spec.window), PAD, device=self.items.weight.device)

    def step(self, memory: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        """See `Srm.step`."""
        memory = torch.cat([memory[:, 1:], item[:, None]], dim=1)
        return memory, memory

    def score(self, state: Tensor, candidates: Tensor) -> Tensor:
        """See `Srm.score`."""
        rows = max(1, PAIRS // candidates.shape[1])
        lists = torch.split(candidates, rows) if len(candidates) > 1 else repeat(candidates)
        return torch.cat([self._score(*part) for part in zip(torch.split(state, rows), lists, strict=False)])

    def _score(self, state: Tensor, candidates: Tensor) -> Tensor:
        history, candidate = self._history(state), self._candidate(candidates)
        alike = candidate @ history.transpose(1, 2)
        return self._meet(candidate, alike, (state != PAD)[:, None], self.first_of_history(history))

    def loss(self, items: Tensor) -> Tensor:
        """Softmax cross-entropy of the true item against `negatives` items drawn evenly for each window.

        The paper's loss is binary, over items shown and clicked; streams hold none shown in vain, so some are drawn.
        """
        seen, targets = items[:, :-1], items[:, 1:]
        drawn = torch.randint(self.n_items, (len(items), self.option("negatives")), device=items.device)
        history = self._history(seen)
        true, other = self._candidate(targets.clamp(min=0)), self._candidate(drawn)
        window, position = (targets != PAD).nonzero().unbind(1)
        # What a candidate has to do with an item of the history is the same at every position that sees both.
        alike = torch.cat(
            [
                (true @ history.transpose(1, 2))[window, position][:, None],
                (other @ history.transpose(1, 2))[window],
            ],
            dim=1,
        )
        candidate = torch.cat([true[window, position][:, None], other[window]], dim=1)
        ago = position[:, None] - torch.arange(seen.shape[1], device=items.device)
        visible = (ago >= 0) & (ago < self.spec.window)
        scores = self._meet(candidate, alike, visible[:, None], self.first_of_history(history)[window])
        hit = drawn[window] == targets[window, position][:, None]
        scores = torch.cat([scores[:, :1], scores[:, 1:].masked_fill(hit, -torch.inf)], dim=1)
        return functional.cross_entropy(scores, torch.zeros_like(window))

    def _history(self, ids: Tensor) -> Tensor:
        return self._tower(ids.clamp(min=0), self.history)

    def _candidate(self, ids: Tensor) -> Tensor:
        return self._tower(ids, self.candidate)

    def _tower(self, ids: Tensor, dense: nn.Linear) -> Tensor:
        vectors: Tensor = dense(self.dropout(self.items(ids) * self.spec.width**0.5))
        return vectors.tanh()

    def _meet(self, candidate: Tensor, alike: Tensor, visible: Tensor, pooled: Tensor) -> Tensor:
        """[N, C, width] candidates and [N, C, W] their products with the history, of which `visible` counts -> scores.

        pooled: [N, W, 2 * width] what each item of the history gives to the first layer; a linear map and a weighted
        mean commute, and the history is shorter than the candidates.
        """
        weights = (alike / math.sqrt(self.spec.width)).masked_fill(~visible, -torch.inf).softmax(-1)
        scores: Tensor = self.rest(self.first_of_candidate(candidate) + weights @ pooled).squeeze(-1)
        return scores
