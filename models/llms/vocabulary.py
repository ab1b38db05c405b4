"""What a pretrained network reads: words as they were published, a token that begins, and one for each item."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Vocabulary(nn.Module):
    """Any tokens -> their vectors.

    words: [n_words, width], never tuned and no part of the state. The vectors that are added are, and have no values
    yet.
    """

    words: Tensor

    def __init__(self, words: Tensor, n_items: int) -> None:
        super().__init__()
        self.register_buffer("words", words.detach(), persistent=False)
        self.added = nn.Embedding(1 + n_items, words.shape[1])

    @property
    def begin(self) -> int:
        """The token that stands where a text begins."""
        return len(self.words)

    @property
    def first_item(self) -> int:
        """The token of item 0; the others' follow."""
        return self.begin + 1

    @property
    def items(self) -> Tensor:
        """[n_items, width]"""
        return self.added.weight[1:]

    def forward(self, tokens: Tensor) -> Tensor:
        """[...] tokens -> [..., width] vectors."""
        added = tokens >= self.begin
        words = functional.embedding(tokens.masked_fill(added, 0), self.words)
        return torch.where(added[..., None], self.added((tokens - self.begin).clamp(min=0)), words)
