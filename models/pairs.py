"""Counterfactual pairs: what a list that a device holds is worth over the next steps, and what a fresh one would be.

Replayed streams answer both sides of the question at once: outcome(user, cut, step) for the list held and
outcome(user, step, step) for a fresh one. Pairs come from the validation part alone: no model was trained on it, and it
ends before the replay begins. The lists held may be older than the part, so that short parts know old lists too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.blocks import Blocks, FloatArray
from scenarios.behaviour import IntArray
from scenarios.population import Population

OLDEST = 40
"""Clicks: the oldest list looked at."""
HORIZON = 8
"""Steps over which both lists are compared, fewer at the end of the part. About as long as a list is kept at 10%
requests; on MovieLens-100K anything from 5 to 20 learns about the same policy."""
LISTS = 40_000
"""Lists of at most so many are looked at, of users spread evenly."""


@dataclass(frozen=True)
class Pairs:
    """N moments at which a device could have asked.

    users, cuts, steps: [N] whose, when the list held was made and where the device is; steps count from `origin`.
    kept, fresh: [N] NDCG@10 a step over the next steps, with the list held and with one made at this step.
    hit: [N] whether the true item of this step stands in the first 10 places of the list held.
    weights: [N] steps that these are means of, 1..HORIZON.
    signals: name -> [N] of the list held.
    origin: [users] position in each stream that steps and cuts count from.
    """

    users: IntArray
    cuts: IntArray
    steps: IntArray
    kept: FloatArray
    fresh: FloatArray
    hit: npt.NDArray[np.bool_]
    weights: FloatArray
    signals: Mapping[str, FloatArray]
    origin: IntArray

    def of(self, rows: npt.NDArray[np.bool_]) -> Pairs:
        """Those of some rows."""
        return Pairs(
            self.users[rows],
            self.cuts[rows],
            self.steps[rows],
            self.kept[rows],
            self.fresh[rows],
            self.hit[rows],
            self.weights[rows],
            {name: values[rows] for name, values in self.signals.items()},
            self.origin,
        )


def span(population: Population) -> tuple[IntArray, IntArray]:
    """([users] origin, [users] steps from there to the replay) for `Blocks`; 0 steps for who has no validation part."""
    origin = np.maximum(population.history_end - OLDEST, 1)
    some = population.replay_from > np.maximum(population.history_end, 1)
    return origin, np.where(some, population.replay_from - origin, 0)


def pairs(population: Population, blocks: Blocks) -> Pairs:
    """All pairs of some users' validation parts; `blocks` makes outcomes over their `span`."""
    origin, steps = span(population)
    part = np.maximum(population.history_end, 1) - origin
    chosen = np.flatnonzero(steps)
    lists = int(steps[chosen].sum())
    if lists > LISTS:
        some = np.linspace(0, len(chosen) - 1, max(1, len(chosen) * LISTS // lists)).astype(np.int64)
        chosen = chosen[np.unique(some)]
    users = np.repeat(chosen, steps[chosen])
    cuts = np.arange(len(users)) - np.repeat(np.cumsum(steps[chosen]) - steps[chosen], steps[chosen])
    stops = np.minimum(cuts + OLDEST + 1, steps[users])
    reach = stops > part[users]
    users, cuts, stops = users[reach], cuts[reach], stops[reach]
    made = blocks.held(users, cuts, stops)
    counts = stops - cuts
    starts = np.cumsum(counts) - counts
    row = np.repeat(np.arange(len(users)), counts)
    step = cuts[row] + np.arange(len(row)) - starts[row]
    # Where the list of each (user, step) begins in the table; every step of the part has one.
    base = np.cumsum(steps) - steps
    begins = np.full(int(steps.sum()), -1)
    begins[base[users] + cuts] = starts
    ranks = made.ranks.astype(np.float64)
    worth = np.where((ranks >= 1) & (ranks <= 10), 1 / np.log2(1 + np.maximum(ranks, 1)), 0)
    before = np.concatenate([[0], np.cumsum(worth)])
    old = np.flatnonzero((step >= part[users[row]]) & (step > cuts[row]))
    beside = begins[base[users[row[old]]] + step[old]]
    ahead = np.minimum(np.minimum(step[old] + HORIZON, stops[row[old]]) - step[old], counts[row[beside]])
    return Pairs(
        users[row[old]],
        cuts[row[old]],
        step[old],
        (before[old + ahead] - before[old]) / ahead,
        (before[beside + ahead] - before[beside]) / ahead,
        worth[old] > 0,
        ahead.astype(np.float64),
        {name: values[old] for name, values in made.signals.items()},
        origin,
    )
