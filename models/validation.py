"""How good a model is while it is trained, and what training and judging ask of it."""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.ranking import consumed, places
from models.reading import read, spans
from scenarios.behaviour import IntArray
from scenarios.errors import ModelError
from scenarios.population import Population


class Trainable(Protocol):
    """What training asks of a model, which is an `nn.Module` besides."""

    JUDGED: ClassVar[int]
    """At most so many validation positions are ranked after each pass, spread evenly over all of them."""

    def loss(self, items: Tensor) -> Tensor:
        """[B, T] windows -> mean loss."""

    def encode(self, items: Tensor) -> Tensor:
        """[B, T] ids -> [B, T, ...] states."""

    def score_all(self, states: Tensor) -> Tensor:
        """[N, ...] states -> [N, n_items] scores."""

    def contexts(self, seen: IntArray) -> IntArray:
        """Where in its stream the model begins to read for a state after so many items."""


class Validation:
    """NDCG@10 on the validation part: every item ranked, consumed ones left out."""

    def __init__(self, population: Population, judged: int) -> None:
        firsts = np.maximum(population.history_end, 1)
        counts = np.maximum(population.replay_from - firsts, 0)
        users, seen = np.repeat(np.arange(len(counts)), counts), spans(firsts, counts)
        if not len(users):
            raise ModelError(f"{population.behaviour.name}: the split leaves no interaction to validate on")
        kept = np.linspace(0, len(users) - 1, min(len(users), judged)).astype(np.int64)
        self.items = population.behaviour.items
        self.streams, self.seen = population.behaviour.offsets[users[kept]], seen[kept]
        self.targets = self.items[self.streams + self.seen].astype(np.int64)

    def __len__(self) -> int:
        return len(self.seen)

    @torch.no_grad()
    def ndcg_at_10(self, model: Trainable, device: torch.device) -> float:
        """Mean over the positions judged. Raises `ModelError` where the model says things that are no numbers."""
        begins, ends = self.streams + model.contexts(self.seen), self.streams + self.seen
        gains: list[npt.NDArray[np.float64]] = []
        for chunk in np.array_split(np.arange(len(self)), -(-len(self) // 2000)):
            states = read(model.encode, self.items, begins[chunk], ends[chunk], device=device)
            scores = model.score_all(states)
            if not scores.isfinite().all():
                raise ModelError("training diverged: a lower recommenders.*.training.learning_rate is needed")
            rows, gone = consumed(self.items, self.streams[chunk], ends[chunk])
            scores[torch.from_numpy(rows).to(device), torch.from_numpy(gone).to(device)] = -torch.inf
            rank = places(scores, torch.from_numpy(self.targets[chunk]).to(device)).cpu().numpy()
            gains.append(np.where((rank >= 1) & (rank <= 10), 1 / np.log2(np.maximum(rank, 1) + 1.0), 0.0))
        return float(np.concatenate(gains).mean())
