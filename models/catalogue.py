"""What part of the catalogue a device itself holds, in bytes, and what it shows when it has no list."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scenarios.behaviour import IntArray
from scenarios.population import Population
from scenarios.schema.fleet import Catalogue, NoCatalogue, PopularCatalogue

AT_ONCE = 256
"""Positions that are ranked by popularity together."""
LARGE = 200_000
"""Items above which training does not score the whole catalogue at every position (`models.sampling`)."""


@dataclass(frozen=True)
class Part:
    """The part of the catalogue on a device.

    ids: item ids in rising order: those whose vectors are held, or the whole catalogue where none are.
    places: [len(ids)] place of each in the order of popularity, from 0.
    vectors: how many items' vectors are held.
    """

    ids: IntArray
    places: IntArray
    vectors: int

    def bytes(self, width: int) -> int:
        """Of the vectors held, float32."""
        return self.vectors * width * 4


def part_of(catalogue: Catalogue, population: Population) -> Part:
    """The part that a scenario names. Popularity counts the history part alone; equally popular items go by id."""
    behaviour = population.behaviour
    within = np.arange(len(behaviour.items)) - np.repeat(behaviour.offsets[:-1], behaviour.lengths)
    history = within < np.repeat(population.history_end, behaviour.lengths)
    counts = np.bincount(behaviour.items[history], minlength=behaviour.n_items)
    by_popularity = np.argsort(-counts, kind="stable")
    places = np.empty_like(by_popularity)
    places[by_popularity] = np.arange(len(by_popularity))
    if isinstance(catalogue, PopularCatalogue):
        ids = np.sort(by_popularity[: catalogue.items])
    else:
        ids = np.arange(behaviour.n_items)
    return Part(ids, places[ids], 0 if isinstance(catalogue, NoCatalogue) else len(ids))


def by_popularity(places: IntArray, stream: npt.NDArray[np.int32], first: int, until: int) -> IntArray:
    """[until - first] ranks of the items taken at these positions of a stream, where the most popular ones are shown.

    What was taken before a position is not shown there. places: [n_items] in the order of popularity, from 0. Nothing
    is sorted and no item scored: a rank is the place, less the items consumed whose place comes before.
    """
    own = places[stream[:until]].astype(np.int32)
    fresh = np.zeros(until, np.bool_)
    fresh[np.unique(own, return_index=True)[1]] = True
    seen = np.where(fresh, own, len(places))  # an item taken again is consumed once
    ranks = np.zeros(until - first, np.int64)
    for start in range(first, until, AT_ONCE):
        some = slice(start, min(start + AT_ONCE, until))
        before = np.count_nonzero(seen[:start] < own[some, None], axis=1)
        before += np.count_nonzero(np.tril(seen[some] < own[some, None], -1), axis=1)
        ranks[start - first : some.stop - first] = np.where(fresh[some], own[some] + 1 - before, 0)
    return ranks
