"""Semantic ids: an item's code is a path of clusters, so that like items begin alike.

Residual k-means: cluster the vectors, take away each one's centre, cluster what is left, and so on. TIGER (Rajput et
al., NeurIPS 2023, arXiv 2305.05065) trains an RQ-VAE for it; k-means has nothing to tune and needs no training.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from models.llms.item_codes import ItemCodes, numbered
from scenarios.behaviour import FloatArray, IntArray
from scenarios.errors import ModelError

ROUNDS = 25
"""At most so many rounds of Lloyd's algorithm a level; assignments hardly change after."""


def semantic(vectors: npt.NDArray[np.floating], levels: int = 3, codebook: int = 256, seed: int = 0) -> ItemCodes:
    """Codes of `levels` cluster tokens and a last one that makes them unique; the defaults are TIGER's.

    vectors: [n_items, width], of titles (`models.text`) or of behaviour (`models.behaviour_vectors`).
    Raises `ModelError` where some of them are no numbers.
    """
    if not np.isfinite(vectors).all():
        raise ModelError("semantic ids: some of the items' vectors are no numbers")
    return numbered(residual_clusters(vectors, levels, codebook, seed))


def residual_clusters(vectors: npt.NDArray[np.floating], levels: int, codebook: int, seed: int) -> IntArray:
    """[n_items, width] vectors -> [n_items, levels] cluster numbers below `codebook`."""
    residual = np.asarray(vectors, np.float64)
    draws = np.random.default_rng(seed)
    paths = np.zeros((len(residual), levels), np.int64)
    for level in range(levels):
        centres, paths[:, level] = k_means(residual, codebook, draws)
        residual = residual - centres[paths[:, level]]
    return paths


def k_means(points: FloatArray, k: int, draws: np.random.Generator) -> tuple[FloatArray, IntArray]:
    """([at most k, width] centres, [points] the nearest centre of each): Lloyd's algorithm, begun as k-means++ does.

    Fewer centres where there are fewer different points (Arthur and Vassilvitskii, k-means++, SODA 2007).
    """
    squares = _squares(points)

    def distances(centres: FloatArray) -> FloatArray:
        apart: FloatArray = np.maximum(squares[:, None] - 2 * points @ centres.T + (centres**2).sum(1), 0)
        return apart

    chosen = [int(draws.integers(len(points)))]
    nearest = _squares(points - points[chosen[0]])
    while len(chosen) < k and nearest.max() > 1e-12 * squares.max(initial=1e-300):
        chosen.append(int(draws.choice(len(points), p=nearest / nearest.sum())))
        nearest = np.minimum(nearest, _squares(points - points[chosen[-1]]))
    centres = points[chosen]
    member = distances(centres).argmin(1)
    for _ in range(ROUNDS):
        ones, rows = np.ones(len(points)), np.arange(len(points) + 1)
        sums = sparse.csr_array((ones, member, rows), (len(points), len(centres))).T @ points
        sizes = np.bincount(member, minlength=len(centres))
        # A centre that lost all its members stays where it is.
        centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
        before, member = member, distances(centres).argmin(1)
        if (member == before).all():
            break
    return centres, member


def _squares(points: FloatArray) -> FloatArray:
    """[points] squared lengths; without BLAS, whose threads cost more here than they save."""
    lengths: FloatArray = np.einsum("nd,nd->n", points, points)
    return lengths
