"""The contract of a generator: a device's model whose last layers come from the cloud.

The cloud reads a history and makes a head of it: n square layers, tanh between them. The device passes the states of
its own model (the backbone, which stays) through the head that it holds, however old that is; where it holds none, it
uses them as they are. Scores are dot products with the backbone's own item vectors, as in our other models; the papers'
item tower of two dense layers is left out, so that a list's vectors are all a device needs.

The head's output is added to the state. The papers have no such way around it; with it, and with last layers that begin
at 0, training begins at the static model and a head can only be learned where it helps. `as_released` is without.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models import srms
from models.catalogue import LARGE
from models.catalogue_loss import catalogue_loss
from models.generators.wire import rounded
from models.srms.base import PAD, DotProductSrm
from scenarios.behaviour import IntArray
from scenarios.errors import ModelError
from scenarios.schema.generators import Head as Spec
from scenarios.schema.recommenders import Srm as SrmSpec

CELLS = 4_000_000
"""Generated parameters that are in the memory at once where nothing is learned."""


class Generator(nn.Module, ABC):
    """A backbone, and what makes heads for it. Trained by `models.training.train` as a whole, from scratch."""

    JUDGED: ClassVar[int] = 5_000
    """See `models.training.Trainable`."""

    def __init__(self, n_items: int, srm: SrmSpec, spec: Spec) -> None:
        super().__init__()
        backbone = srms.build(n_items, srm)
        if not isinstance(backbone, DotProductSrm):
            raise ModelError(
                f"recommenders.srm.kind: {srm.kind} has no state that a head could be put on; expected another kind"
            )
        if n_items > LARGE:
            raise ModelError(f"recommenders.generator: {n_items} items, expected at most {LARGE}")
        self.backbone, self.spec = backbone, spec
        self.n_items, self.width = n_items, srm.width

    @abstractmethod
    def history(self, items: Tensor) -> Tensor:
        """[B, T] ids (right-padded with `PAD`) -> [B, T, K] what the cloud makes of them up to each."""

    @abstractmethod
    def unrounded(self, codes: Tensor) -> Tensor:
        """[..., K] -> [..., n, width + 1, width] heads before they are sent."""

    def generate(self, codes: Tensor) -> Tensor:
        """[..., K] -> [..., n, width + 1, width] heads as they arrive."""
        return rounded(self.unrounded(codes), self.spec.wire)

    @property
    def cloud(self) -> Cloud:
        """What reads histories, by itself."""
        return Cloud(self)

    @property
    def floats(self) -> int:
        """Parameters in a head."""
        return self.spec.layers * (self.width + 1) * self.width

    def personal(self, heads: Tensor, states: Tensor) -> Tensor:
        """([R, n, width + 1, width] heads, [R, S, width] states of the backbone) -> the states after these heads."""
        passed = states
        for layer in range(heads.shape[1]):
            if layer:
                passed = passed.tanh()
            passed = torch.baddbmm(heads[:, layer, -1:], passed, heads[:, layer, :-1])
        return passed if self.spec.as_released else states + passed

    def encode(self, items: Tensor) -> Tensor:
        """[B, T] ids -> [B, T, width] states after each, passed through a head made at that very place."""
        codes, states = self.history(items).flatten(0, 1), self.backbone.encode(items).flatten(0, 1)[:, None]
        size = max(1, CELLS // self.floats)
        starts = range(0, len(states), size)
        passed = [self.personal(self.generate(codes[n : n + size]), states[n : n + size]) for n in starts]
        return torch.cat(passed).view(*items.shape, self.width)

    def score_all(self, states: Tensor) -> Tensor:
        """[N, width] states -> [N, n_items] scores."""
        return self.backbone.score_all(states)

    def contexts(self, seen: IntArray) -> IntArray:
        """Where in its stream the reading begins: at the beginning."""
        return np.zeros_like(seen)

    def loss(self, items: Tensor) -> Tensor:
        """[B, T] windows -> mean cross-entropy with heads, and that without, which devices begin with."""
        seen, targets = items[:, :-1], items[:, 1:]
        real = targets != PAD
        states = self.backbone.encode(seen)
        table, wanted = self.backbone.items.weight, targets[real]
        personal, plain = self._lagging(states, self.history(seen))[real], states[real]
        return catalogue_loss(personal, table, wanted) + catalogue_loss(plain, table, wanted)

    def _lagging(self, states: Tensor, codes: Tensor) -> Tensor:
        """([B, T, width], [B, T, K]) -> the states, passed through heads that are up to `lag` steps old."""
        rows, length, _ = states.shape
        run = min(self.spec.lag + 1, length)
        early = int(torch.randint(run, ())) if run > 1 else 0  # steps of the first run that lie before the window
        runs = -(-(length + early) // run)
        made_at = (torch.arange(runs, device=states.device) * run - early).clamp(min=0)
        heads = self.unrounded(codes[:, made_at].flatten(0, 1))
        padded = functional.pad(states, (0, 0, early, runs * run - length - early))
        passed = self.personal(heads, padded.reshape(rows * runs, run, self.width))
        return passed.reshape(rows, runs * run, self.width)[:, early : early + length]


@dataclass(frozen=True)
class Cloud:
    """A generator's side in the cloud, which reads like the other models do."""

    generator: Generator

    def encode(self, items: Tensor) -> Tensor:
        """See `Generator.history`."""
        return self.generator.history(items)

    def contexts(self, seen: IntArray) -> IntArray:
        """See `Generator.contexts`."""
        return self.generator.contexts(seen)


class Reader(nn.Module):
    """[B, T, width] vectors -> [B, T, width] what a GRU and two layers make of them up to each."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.out = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, width))

    def forward(self, vectors: Tensor) -> Tensor:
        """See the class."""
        read: Tensor = self.out(self.gru(self.dropout(vectors))[0])
        return read


class Heads(nn.Linear):
    """[..., width] what was read -> [..., n, width + 1, width] a head of n layers, by a linear map for each number.

    Matrices begin about as wide as `nn.Linear` ones do, the last layer at 0 where it can learn; with `as_released`,
    everything is normal and cut off by the remainder of a division by 2, whatever the width.
    """

    def __init__(self, width: int, spec: Spec) -> None:
        super().__init__(width, spec.layers * (width + 1) * width)
        self.shape = (spec.layers, width + 1, width)
        trainable = spec.heads_trainable and not spec.as_released
        with torch.no_grad():
            if spec.as_released:
                for part in (self.weight, self.bias):
                    part.copy_(torch.randn_like(part).fmod(2))
            else:
                bias, weight = self.bias.view(self.shape), self.weight.view(*self.shape, width)
                nn.init.normal_(bias, std=width**-0.5)
                nn.init.normal_(weight, std=1 / width)
                if trainable:
                    bias[-1], weight[-1] = 0.0, 0.0
        self.requires_grad_(trainable)

    def forward(self, read: Tensor) -> Tensor:
        """See the class."""
        numbers: Tensor = super().forward(read)
        return numbers.view(*read.shape[:-1], *self.shape)
