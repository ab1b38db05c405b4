"""DIN: deep interest network (Zhou et al., KDD 2018, arXiv 1706.06978), in the form of LSC4Rec's released code.

The candidate looks at the last `window` items: both sides pass a dense layer with tanh, scaled dot-product attention
pools the history, and a net of 2 x width, width and 1 units over (candidate, pooled history) gives the score. There is
no state but the window of ids itself, and every candidate meets it anew, which is what makes DIN accurate and dear.
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
        self.rest = nn.Sequential(
            nn.Tanh(), nn.Dropout(spec.dropout), nn.Linear(2 * width, width), nn.Tanh(), nn.Linear(width, 1)
        )
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
        scale = self.spec.width**0.5
        history = self.history(self.dropout(self.items(state.clamp(min=0)) * scale)).tanh()
        candidate = self.candidate(self.dropout(self.items(candidates) * scale)).tanh()
        logits = candidate @ history.transpose(1, 2) / math.sqrt(self.spec.width)
        weights = logits.masked_fill((state == PAD)[:, None], -torch.inf).softmax(-1)
        # A linear map and a weighted mean commute, and the history is shorter than a list of candidates x width.
        first = self.first_of_candidate(candidate) + weights @ self.first_of_history(history)
        scores: Tensor = self.rest(first).squeeze(-1)
        return scores

    def loss(self, items: Tensor) -> Tensor:
        """Softmax cross-entropy of the true item against `negatives` items drawn evenly for each window.

        The paper's loss is binary, over items shown and clicked; streams hold none shown in vain, so some are drawn.
        """
        targets = items[:, 1:]
        real = targets != PAD
        states = self.encode(items[:, :-1])[real]
        drawn = torch.randint(self.n_items, (len(items), self.option("negatives")), device=items.device)
        of_window = real.nonzero()[:, 0]
        candidates = torch.cat([targets[real][:, None], drawn[of_window]], dim=1)
        scores = self.score(states, candidates)
        scores[:, 1:] = scores[:, 1:].masked_fill(candidates[:, 1:] == candidates[:, :1], -torch.inf)
        return functional.cross_entropy(scores, scores.new_zeros(len(scores), dtype=torch.long))
