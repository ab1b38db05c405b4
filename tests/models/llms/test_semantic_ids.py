"""Clusters are those of Lloyd's algorithm, and the codes of like items begin alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.vq import kmeans2

from models.llms import semantic_ids
from models.llms.item_codes import FIRST
from models.llms.semantic_ids import k_means, residual_clusters, semantic
from scenarios.behaviour import FloatArray
from scenarios.errors import ModelError


def groups(spread: float, apart: float = 10.0, each: int = 8) -> FloatArray:
    """Four far groups of two near ones each."""
    draws = np.random.default_rng(5)
    far, near = apart * np.repeat(np.eye(4), 2, axis=0), np.tile([[1.0], [-1.0]], (4, 4))
    return np.repeat(far + near, each, axis=0) + spread * draws.standard_normal((8 * each, 4))


def test_lloyd_ends_where_scipy_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """From our first centres its rounds lead to our last ones."""
    points = groups(spread=2.0, apart=4.0)
    monkeypatch.setattr(semantic_ids, "ROUNDS", 0)
    first, _ = k_means(points, 6, np.random.default_rng(1))
    monkeypatch.setattr(semantic_ids, "ROUNDS", 100)
    last, member = k_means(points, 6, np.random.default_rng(1))
    theirs, their_member = kmeans2(points, first, iter=100, minit="matrix")
    np.testing.assert_allclose(last, theirs)
    assert member.tolist() == their_member.tolist()
    assert not np.allclose(first, last)


@given(st.integers(1, 12), st.integers(1, 20), st.integers(0, 3))
def test_no_more_clusters_than_different_points(different: int, k: int, seed: int) -> None:
    points = np.repeat(np.random.default_rng(seed).standard_normal((different, 3)), 4, axis=0)
    centres, member = k_means(points, k, np.random.default_rng(seed))
    assert len(centres) == min(k, different)
    assert (member.reshape(-1, 4) == member[::4, None]).all()
    if k >= different:
        np.testing.assert_allclose(centres[member], points)


def test_like_items_begin_alike_and_the_second_level_tells_them_apart() -> None:
    paths = residual_clusters(groups(spread=0.01), levels=2, codebook=4, seed=0)
    coarse = paths[:, 0].reshape(4, 16)
    assert (coarse == coarse[:, :1]).all()
    assert len(set(coarse[:, 0])) == 4
    members = [{tuple(path) for path in group} for group in paths.reshape(8, 8, 2).tolist()]
    assert sum(map(len, members)) == len(set.union(*members))


def test_each_level_brings_codes_nearer_to_their_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).standard_normal((300, 8))
    left = []
    kept = k_means

    def watched(residual: FloatArray, k: int, draws: np.random.Generator) -> tuple[FloatArray, semantic_ids.IntArray]:
        left.append(float((residual**2).sum()))
        return kept(residual, k, draws)

    monkeypatch.setattr(semantic_ids, "k_means", watched)
    residual_clusters(points, levels=4, codebook=16, seed=0)
    assert left[0] > 1.3 * left[1] > 1.3**2 * left[2] > 1.3**3 * left[3]


def test_items_without_a_text_of_their_own_still_have_codes_of_their_own() -> None:
    made = semantic(np.zeros((5, 3)), levels=2, codebook=4)
    assert made.tokens[:, :2].tolist() == [[FIRST, FIRST + 1]] * 5
    assert len(set(made.tokens[:, 2].tolist())) == 5


def test_the_seed_decides() -> None:
    points = np.random.default_rng(0).standard_normal((100, 4))
    assert (semantic(points, 2, 8, 1).tokens == semantic(points, 2, 8, 1).tokens).all()
    assert (semantic(points, 2, 8, 1).tokens != semantic(points, 2, 8, 2).tokens).any()


def test_vectors_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ModelError, match="no numbers"):
        semantic(np.array([[np.nan], [1.0]]))
