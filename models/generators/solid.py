"""SOLID: the head is generated from what items mean, and corrected by which they are (Lv et al., MM 2024, arXiv
2408.00123).

Every item belongs to a cluster of like ones, its meaning. One reader makes a head of the sequence of meanings, another
a correction of the sequence of items, which is bounded: W = bound(W_items) + W_meanings. The second reads items as the
nearest entry of a codebook, decoded; the codebook begins as the vectors of the meanings that `Meanings` learned, which
is DUET on sequences of meanings alone.

The released code clamps a correction that is drawn a hundred times too large, so that 99.8% of it stands at the clamp
and learns nothing, and lets no gradient through the choice of a code. Here the bound is a tanh, gradients pass straight
through, and codes move towards what chooses them (van den Oord et al., NeurIPS 2017). `as_released` has it their way.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.generators.base import Generator, Heads, Reader
from models.generators.duet import Model as DuetModel
from models.srms.base import PAD
from scenarios.behaviour import IntArray
from scenarios.schema.generators import Solid as Spec
from scenarios.schema.recommenders import Srm as SrmSpec

COMMITMENT = 0.25
"""Weight of moving items towards their codes, beside that of moving codes towards items; VQ-VAE's."""


class Model(Generator):
    """See the head of this file."""

    meaning: Tensor

    def __init__(self, n_items: int, srm: SrmSpec, spec: Spec) -> None:
        super().__init__(n_items, srm, spec)
        width, self.solid = srm.width, spec
        self.register_buffer("meaning", torch.zeros(n_items, dtype=torch.int64))
        self.meanings = nn.Embedding(spec.clusters, width)
        self.codebook = nn.Parameter(torch.empty(spec.clusters, width), requires_grad=not spec.as_released)
        nn.init.normal_(self.meanings.weight, std=width**-0.5)
        nn.init.normal_(self.codebook, std=width**-0.5)
        self.decoder = nn.Sequential(nn.Linear(width, 2 * width), nn.LeakyReLU(0.1), nn.Linear(2 * width, width))
        self.of_meanings, self.of_items = Reader(width, srm.dropout), Reader(width, srm.dropout)
        self.heads = Heads(width, spec)
        self.corrections = Heads(width, spec)

    @torch.no_grad()
    def begin(self, meaning: Tensor, learned: Tensor) -> None:
        """Take over [n_items] clusters and [clusters, width] vectors of them: items begin near their meanings.

        Without that the codes nearest to items that were drawn at random would be the few shortest ones.
        """
        self.meaning.copy_(meaning)
        self.meanings.weight.copy_(learned)
        self.codebook.copy_(learned)
        items = self.backbone.items.weight
        items.copy_(learned[meaning] + items / 2)

    def history(self, items: Tensor) -> Tensor:
        """See `Generator.history`; K is twice the width: of meanings, then of items."""
        ids = items.clamp(min=0)
        means = self.of_meanings(self.meanings(self.meaning[ids]) * self.width**0.5)
        vectors = self.backbone.items(ids)
        code = self.codes(vectors)
        if not self.solid.as_released:
            code = vectors + (code - vectors).detach()
        decoded = self.decoder(code * self.width**0.5)
        return torch.cat([means, self.of_items(decoded)], -1)

    def codes(self, vectors: Tensor) -> Tensor:
        """[..., width] vectors -> [..., width] the nearest code of each."""
        return self.codebook[self.chosen(vectors)]

    @torch.no_grad()
    def chosen(self, vectors: Tensor) -> Tensor:
        """[..., width] vectors -> [...] which code is the nearest."""
        apart = self.codebook.square().sum(1) - 2 * vectors @ self.codebook.T
        return apart.argmin(-1)

    def unrounded(self, codes: Tensor) -> Tensor:
        """See `Generator.unrounded`."""
        of_meanings, of_items = codes.chunk(2, -1)
        bound, correction = self.solid.bound, self.corrections(of_items)
        if self.solid.as_released:
            bounded = correction.clamp(-bound, bound)
        else:
            bounded = bound * (correction / bound).tanh() if bound else torch.zeros_like(correction)
        heads: Tensor = self.heads(of_meanings) + bounded
        return heads

    def loss(self, items: Tensor) -> Tensor:
        """See `Generator.loss`; with what holds meanings, items and codes together."""
        ids = items[:, :-1][items[:, 1:] != PAD]
        vectors, means = self.backbone.items(ids), self.meanings(self.meaning[ids])
        code = self.codes(vectors)
        apart = functional.mse_loss(means, code.detach())
        if not self.solid.as_released:
            apart = apart + functional.mse_loss(code, vectors.detach())
            apart = apart + COMMITMENT * functional.mse_loss(vectors, code.detach())
        return super().loss(items) + self.solid.codebook_weight * apart


class Meanings(DuetModel):
    """DUET over sequences of meanings; what it predicts of an item is its meaning's chance, times its part of that.

    meaning: [n_items] the cluster of each. taken: [n_items] how often each was taken.
    """

    meaning: Tensor
    log_part: Tensor

    def __init__(self, srm: SrmSpec, spec: Spec, meaning: IntArray, taken: IntArray) -> None:
        super().__init__(spec.clusters, srm, spec)
        self.register_buffer("meaning", torch.from_numpy(meaning))
        counts = torch.from_numpy(taken).float() + 1
        of_meaning = torch.zeros(spec.clusters).index_add_(0, self.meaning, counts)
        self.register_buffer("log_part", (counts / of_meaning[self.meaning]).log())

    def encode(self, items: Tensor) -> Tensor:
        """See `Generator.encode`."""
        return super().encode(self._meanings(items))

    def score_all(self, states: Tensor) -> Tensor:
        """[N, width] states -> [N, n_items] logarithms of chances."""
        return super().score_all(states).log_softmax(1)[:, self.meaning] + self.log_part

    def loss(self, items: Tensor) -> Tensor:
        """See `Generator.loss`."""
        return super().loss(self._meanings(items))

    def _meanings(self, items: Tensor) -> Tensor:
        return self.meaning[items.clamp(min=0)].where(items != PAD, PAD)
