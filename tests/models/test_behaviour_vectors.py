"""Vectors factorise what the histories say of neighbours, and know nothing of what comes after."""

from dataclasses import replace

import numpy as np

from models.behaviour_vectors import REACH, behaviour_vectors
from scenarios.population import Population


def test_they_are_the_best_of_their_width(population: Population) -> None:
    """Counted pair by pair, and factorised whole: left x right = the closest matrix of that rank (Eckart, Young)."""
    behaviour = population.behaviour
    counts = np.zeros((behaviour.n_items, behaviour.n_items))
    for user in range(behaviour.n_users):
        items = behaviour.stream(user)[: population.history_end[user]]
        for place, item in enumerate(items):
            for other in items[max(0, place - REACH) : place]:
                counts[item, other] += 1
                counts[other, item] += 1
    seen = counts.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        told = np.nan_to_num(np.maximum(np.log(counts * counts.sum() / np.outer(seen, seen)), 0))
    left, strength, _ = np.linalg.svd(told)
    for width in (5, 12):
        best = left[:, :width] * strength[:width] @ left[:, :width].T
        vectors = behaviour_vectors(population, width)
        np.testing.assert_allclose(vectors @ vectors.T, best, atol=1e-8)


def test_items_of_no_history_have_no_direction(population: Population) -> None:
    behaviour = population.behaviour
    known = np.concatenate([behaviour.stream(u)[: population.history_end[u]] for u in range(behaviour.n_users)])
    lonely = np.setdiff1d(np.arange(behaviour.n_items), known)
    short = replace(population, history_end=np.minimum(population.history_end, 3))
    gone = np.setdiff1d(
        np.arange(behaviour.n_items),
        np.concatenate([behaviour.stream(u)[: short.history_end[u]] for u in range(behaviour.n_users)]),
    )
    assert len(gone) > len(lonely)
    np.testing.assert_allclose(behaviour_vectors(short)[gone], 0, atol=1e-6)


def test_what_comes_after_the_histories_is_never_looked_at(population: Population) -> None:
    behaviour = population.behaviour
    items = behaviour.items.copy()
    for user in range(behaviour.n_users):
        begin, end = behaviour.offsets[user] + population.history_end[user], behaviour.offsets[user + 1]
        items[begin:end] = items[begin:end][::-1]
    other = replace(population, behaviour=replace(behaviour, items=items))
    np.testing.assert_array_equal(behaviour_vectors(population, 8), behaviour_vectors(other, 8))
