"""MergeNet's parameter adapter (Li et al., AAAI 2025, arXiv 2404.13322): weights of one model read those of another.

A layer has the rows and the columns of a target matrix [m, n] look at the rows and the columns of a source matrix
[p, q], each of which is a token: four cross-attentions, the mean of which goes through a feed-forward net. What comes
out is a matrix of the target's shape. Attention has one width in all, whereas in the released code it grows with the
source: 37.6 million weights for a matrix of 160 by 960.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from scenarios.schema.stages import MergeNet


class CrossAttention(nn.Module):
    """Tokens [t, queries] look at tokens [s, keys] and become [t, queries], by a residual and a norm."""

    def __init__(self, queries: int, keys: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = nn.Linear(queries, width), nn.Linear(keys, width), nn.Linear(keys, width)
        self.out = nn.Linear(width, queries)
        self.norm = nn.LayerNorm(queries)

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """See the class."""
        parts = (self.query(target), self.key(source), self.value(source))
        query, key, value = (part.unflatten(1, (self.heads, -1)).transpose(0, 1)[None] for part in parts)
        mixed = functional.scaled_dot_product_attention(query, key, value, dropout_p=0.1 if self.training else 0.0)
        joined: Tensor = self.norm(target + self.out(mixed[0].transpose(0, 1).flatten(1)))
        return joined


class Layer(nn.Module):
    """Four attentions, by (rows, columns) of the target on (rows, columns) of the source, and a feed-forward net."""

    def __init__(self, target: torch.Size, source: torch.Size, width: int, heads: int) -> None:
        super().__init__()
        (m, n), (p, q) = target, source
        self.rows_on_rows = CrossAttention(n, q, width, heads)
        self.rows_on_columns = CrossAttention(n, p, width, heads)
        self.columns_on_rows = CrossAttention(m, q, width, heads)
        self.columns_on_columns = CrossAttention(m, p, width, heads)
        self.feed_forward = nn.Sequential(
            spectral_norm(nn.Linear(n, 2 * n)),
            nn.GELU(approximate="tanh"),
            spectral_norm(nn.Linear(2 * n, n)),
            nn.Dropout(0.2),
        )
        self.norm = nn.LayerNorm(n)

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """([m, n], [p, q]) -> [m, n]."""
        rows = self.rows_on_rows(target, source) + self.rows_on_columns(target, source.T)
        columns = self.columns_on_rows(target.T, source) + self.columns_on_columns(target.T, source.T)
        mixed = (rows + columns.T) / 4
        left: Tensor = self.norm(mixed + self.feed_forward(mixed))
        return left


class Adapter(nn.Module):
    """([m, n] target, [p, q] source) -> [m, n], what the target becomes.

    Its last norm leaves rows of deviation 1 whatever the target's scale, which a batch norm behind the target makes
    good and nothing else does. So what comes out is brought to the target's scale, times a learned factor, and mixed
    with the target; both matrices are brought to scale 1 before they are looked at. `released` does neither.
    """

    def __init__(self, target: torch.Size, source: torch.Size, stage: MergeNet) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Layer(target, source, stage.adapter_width, stage.adapter_heads) for _ in range(stage.adapter_layers)
        )
        self.scale = nn.Parameter(torch.ones(()))
        self.share, self.released = stage.share, stage.write == "released"

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """See the class."""
        size = rms(target)
        made, source = (target, source) if self.released else (target / size, source / rms(source))
        for layer in self.layers:
            made = layer(made, source)
        if not self.released:
            made = self.scale * size * made
        return torch.lerp(target, made, self.share)


def rms(matrix: Tensor) -> Tensor:
    """Root of the mean square."""
    size: Tensor = matrix.square().mean().sqrt().clamp(min=1e-12)
    return size


def low_rank(matrix: Tensor, rank: int) -> Tensor:
    """[p, q] -> [rank, q], the right factor of the nearest matrix of that rank: its own, were it stored as a LoRA.

    Rows are by falling singular value, which they have as their length. A matrix of fewer rows has fewer.
    """
    _, sizes, rows = torch.linalg.svd(matrix, full_matrices=False)
    factor: Tensor = sizes[:rank, None] * rows[:rank]
    return factor


def noise_like(factor: Tensor) -> Tensor:
    """Noise of the same shape, with rows of the same lengths."""
    noise = torch.randn_like(factor)
    scaled: Tensor = noise * (torch.linalg.vector_norm(factor, dim=1) / torch.linalg.vector_norm(noise, dim=1))[:, None]
    return scaled
