"""The contract of a small recommendation model (SRM), the one that runs on every device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from models.catalogue_loss import catalogue_loss
from scenarios.behaviour import IntArray
from scenarios.errors import ModelError
from scenarios.schema.recommenders import Srm as Spec

PAD = -1
"""Fills a stream to the right of its end; no model ever looks at it from a position to its left."""


class Srm(nn.Module, ABC):
    """A sequence model over item ids 0 .. n_items - 1 whose state can be had in two ways that agree to 1e-5.

    `encode` reads whole streams at once; `start` and `step` feed one item after the other, as a device does. The state
    at position t depends on items[:, : t + 1] alone. Scoring candidates is separate from both.
    """

    OPTIONS: ClassVar[Mapping[str, bool | int | float | str]] = {}
    """Settings that only this kind has, with their defaults."""
    JUDGED: ClassVar[int] = 5_000
    """Validation positions that are ranked after each pass of training."""

    def __init__(self, n_items: int, spec: Spec) -> None:
        super().__init__()
        unknown = sorted(set(spec.options) - set(self.OPTIONS))
        if unknown:
            known = ", ".join(sorted(self.OPTIONS)) or "none"
            raise ModelError(
                f"recommenders.srm.options: {spec.kind} does not know {', '.join(unknown)}; known: {known}"
            )
        for name, value in spec.options.items():
            if type(value) is not type(self.OPTIONS[name]):
                wanted = type(self.OPTIONS[name]).__name__
                raise ModelError(f"recommenders.srm.options.{name}: {value!r} is not of type {wanted}")
        self.spec = spec
        self.n_items = n_items
        self.items = nn.Embedding(n_items, spec.width)
        nn.init.normal_(self.items.weight, std=spec.width**-0.5)

    def option(self, name: str) -> Any:
        """The scenario's value of one of this kind's own settings."""
        return self.spec.options.get(name, self.OPTIONS[name])

    @abstractmethod
    def encode(self, items: Tensor) -> Tensor:
        """[B, T] ids (right-padded with `PAD`) -> [B, T, ...] the state after each item."""

    @abstractmethod
    def start(self, batch: int) -> Any:
        """Memory of `batch` devices that have seen nothing."""

    @abstractmethod
    def step(self, memory: Any, item: Tensor) -> tuple[Any, Tensor]:
        """(memory, [B] ids) -> (memory after them, [B, ...] state). The memory given is left as it was."""

    @abstractmethod
    def score(self, state: Tensor, candidates: Tensor) -> Tensor:
        """([B, ...] states, [B, C] ids, or [1, C] for all alike) -> [B, C] scores, higher is better."""

    def score_runs(self, states: Tensor, candidates: Tensor) -> Tensor:
        """([R, K, ...] states of K steps that see the same list, [R, C] ids) -> [R, K, C] scores."""
        runs, steps = states.shape[:2]
        scores = self.score(states.flatten(0, 1), candidates.repeat_interleave(steps, 0))
        return scores.view(runs, steps, -1)

    def score_all(self, state: Tensor) -> Tensor:
        """[B, ...] states -> [B, n_items] scores."""
        return self.score(state, torch.arange(self.n_items, device=self.items.weight.device)[None])

    def contexts(self, seen: IntArray) -> IntArray:
        """Where in its stream an SRM begins to read for the state after so many items: at its beginning."""
        return np.zeros_like(seen)

    @abstractmethod
    def loss(self, items: Tensor) -> Tensor:
        """[B, T] windows (right-padded with `PAD`) -> mean loss of predicting each item from those before."""


class DotProductSrm(Srm):
    """An SRM whose state is a vector that meets an item's vector in a dot product."""

    def score(self, state: Tensor, candidates: Tensor) -> Tensor:
        """See `Srm.score`; states are [B, width]."""
        vectors: Tensor = self.items(candidates)
        if len(candidates) == 1:
            return state @ vectors[0].T
        return torch.einsum("bd,bcd->bc", state, vectors)

    def score_runs(self, states: Tensor, candidates: Tensor) -> Tensor:
        """See `Srm.score_runs`; each item's vector is fetched once for all steps."""
        vectors: Tensor = self.items(candidates)
        return states @ vectors.transpose(1, 2)

    def loss(self, items: Tensor) -> Tensor:
        """Cross-entropy over the whole catalogue at every position.

        Full softmax rather than the sampled binary loss of the models' papers: on MovieLens it lifts SASRec's NDCG@10
        by a third (Klenitskiy and Vasilev, RecSys 2023, arXiv 2309.07602).
        """
        targets = items[:, 1:]
        states = self.encode(items[:, :-1])[targets != PAD]
        return catalogue_loss(states, self.items.weight, targets[targets != PAD])
