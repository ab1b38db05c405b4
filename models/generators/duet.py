"""DUET: the cloud generates the head of the device's model (Lv et al., WWW 2023, arXiv 2209.05227).

A GRU reads the history in the backbone's own item vectors; what it makes of it becomes each number of the head by a
linear map. After the authors' released code; of the paper's three modules it has the parameter generator only, without
copies that steady it and without separate training of the backbone. The loss is the full softmax of our other models
instead of theirs on sampled negatives.
"""

from __future__ import annotations

from torch import Tensor

from models.generators.base import Generator, Heads, Reader
from scenarios.schema.generators import Head as Spec
from scenarios.schema.recommenders import Srm as SrmSpec


class Model(Generator):
    """See the head of this file."""

    def __init__(self, n_items: int, srm: SrmSpec, spec: Spec) -> None:
        super().__init__(n_items, srm, spec)
        self.reader = Reader(srm.width, srm.dropout)
        self.heads = Heads(srm.width, spec)

    def history(self, items: Tensor) -> Tensor:
        """See `Generator.history`; K is the width."""
        read: Tensor = self.reader(self.backbone.items(items.clamp(min=0)) * self.width**0.5)
        return read

    def unrounded(self, codes: Tensor) -> Tensor:
        """See `Generator.unrounded`."""
        heads: Tensor = self.heads(codes)
        return heads
