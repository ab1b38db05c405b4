"""What a pretrained network reads: its words as they were published, then a token for each item, then one to begin."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Vocabulary(nn.Module):
    """Any tokens -> their vectors. Items are tokens n_words to n_words + n_items - 1, the one that begins comes last.

    words: [n_words, width], never tuned and no part of the state. The vectors that are added are, and have no values
    yet.
    """

    words: Tensor

    def __init__(self, words: Tensor, n_items: int) -> None:
        super().__init__()
        self.register_buffer("words", words.detach(), persistent=False)
        self.added = nn.Embedding(n_items + 1, words.shape[1])

    @property
    def n_words(self) -> int:
        """The first item's token."""
        return len(self.words)

    @property
    def items(self) -> Tensor:
        """[n_items, width]"""
        return self.added.weight[:-1]

    @property
    def begin(self) -> int:
        """The token that stands where a text begins."""
        return self.n_words + self.added.num_embeddings - 1

    def forward(self, tokens: Tensor) -> Tensor:
        """[...] tokens -> [..., width] vectors."""
        added = tokens >= self.n_words
        words = functional.embedding(tokens.masked_fill(added, 0), self.words)
        return torch.where(added[..., None], self.added((tokens - self.n_words).clamp(min=0)), words)
