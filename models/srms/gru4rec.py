"""GRU4Rec: recurrent session-based recommendation (Hidasi et al., ICLR 2016, arXiv 1511.06939).

Item vectors, gated recurrent units, a linear map back to the item space, dot product with the same item vectors (the
paper's tied variant). The ranking losses of the paper are replaced by the full softmax of `DotProductSrm`, which the
authors' later work moves towards by adding negatives (arXiv 1706.03847). The state is all a device keeps: `window` is
only the length of a training window.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.srms.base import DotProductSrm
from scenarios.schema.recommenders import Srm as Spec


class Model(DotProductSrm):
    """See the head of this file. Memory: the hidden state [layers, B, width]."""

    def __init__(self, n_items: int, spec: Spec) -> None:
        super().__init__(n_items, spec)
        between = spec.dropout if spec.layers > 1 else 0.0
        self.gru = nn.GRU(spec.width, spec.width, spec.layers, batch_first=True, dropout=between)
        self.out = nn.Linear(spec.width, spec.width)
        self.dropout = nn.Dropout(spec.dropout)

    def encode(self, items: Tensor) -> Tensor:
        """See `Srm.encode`; states are [B, T, width]."""
        return self._read(items, self.start(len(items)))[1]

    def start(self, batch: int) -> Tensor:
        """See `Srm.start`."""
        return self.items.weight.new_zeros(self.spec.layers, batch, self.spec.width)

    def step(self, memory: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        """See `Srm.step`."""
        memory, states = self._read(item[:, None], memory)
        return memory, states[:, 0]

    def _read(self, items: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        vectors = self.items(items.clamp(min=0)) * self.spec.width**0.5
        hidden, memory = self.gru(self.dropout(vectors), memory)
        states: Tensor = self.out(self.dropout(hidden))
        return memory, states
