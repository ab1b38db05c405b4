"""Item vectors from behaviour alone: items that are taken near each other lie near each other.

Positive pointwise mutual information of items that stand within a few places in a stream, then the leading singular
vectors, scaled by the roots of their singular values: what word2vec factorises implicitly (Levy and Goldberg, NeurIPS
2014; Levy, Goldberg and Dagan, TACL 2015, who found the root scaling best).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from models.reading import spans
from scenarios.behaviour import FloatArray
from scenarios.population import Population

REACH = 5
"""Places to either side that count as near; word2vec's window."""


def behaviour_vectors(population: Population, width: int = 64, seed: int = 0) -> FloatArray:
    """[n_items, width] vectors from the histories; what lies after them is never looked at.

    An item that is in no history has the vector 0. width: at most n_items - 1.
    """
    behaviour, lengths = population.behaviour, population.history_end
    n_items, width = behaviour.n_items, min(width, behaviour.n_items - 1)
    items = behaviour.items[spans(behaviour.offsets[:-1], lengths)]
    users = np.repeat(np.arange(len(lengths)), lengths)
    near = sparse.csr_array((n_items, n_items), dtype=np.float64)
    for apart in range(1, REACH + 1):
        same = users[apart:] == users[:-apart]
        pairs = (items[:-apart][same], items[apart:][same])
        near = near + sparse.coo_array((np.ones(len(pairs[0])), pairs), shape=near.shape).tocsr()
    both = (near + near.T).tocoo()
    counts: FloatArray = np.asarray(both.sum(0)).ravel()
    told = np.log(both.data * both.sum() / (counts[both.coords[0]] * counts[both.coords[1]]))
    positive = sparse.coo_array((np.maximum(told, 0), both.coords), shape=near.shape).tocsr()
    start = np.random.default_rng(seed).standard_normal(n_items)
    left, strength, _ = svds(positive, k=width, v0=start)
    vectors: FloatArray = left * np.sqrt(strength)
    return vectors
