"""Cutting streams into history (trains the models), validation (chooses among them) and replay (is simulated)."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from scenarios.behaviour import Behaviour, FloatArray, IntArray, build
from scenarios.errors import DataError
from scenarios.population import Population
from scenarios.schema.data import FractionSplit, MomentSplit, Split

SHORTEST = 3
"""A stream with less cannot give something to each of the three parts."""

_EPSILON = 1e-9
"""Keeps 0.7 * 10 at 7 where the product of two floats lands just below it."""


def split(behaviour: Behaviour, spec: Split) -> Population:
    """Cut every stream in two places, in time order. Users who fit no replay only train the models.

    By fraction, a stream of 3 or more gives at least one interaction to each part; leaving the last out, it gives one
    each to validation and replay. A shorter one is history. At a moment, an interaction belongs to the part its time
    stamp says, so a user first seen after `replay_from` is in no part but the replay and is not replayed: nothing is
    known of him.
    Raises `DataError` where nobody is left to replay, or nothing to train or to validate on.
    """
    if isinstance(spec, FractionSplit):
        history_end, replay_from = _by_fraction(behaviour.lengths, spec)
    elif isinstance(spec, MomentSplit):
        history_end, replay_from = _at_moments(behaviour, spec)
    else:
        history_end, replay_from = _before_last(behaviour.lengths)
    population = Population(behaviour, history_end, replay_from)
    if not history_end.any():
        raise DataError(f"{behaviour.name}: the split leaves no interaction to train on")
    if not ((replay_from > history_end) & (replay_from > 1)).any():
        raise DataError(f"{behaviour.name}: the split leaves no interaction to validate on")
    if not population.steps.any():
        raise DataError(
            f"{behaviour.name}: the split leaves nobody to replay ({behaviour.n_users} users, the longest stream has "
            f"{behaviour.lengths.max()} interactions; expected somebody with {SHORTEST} or more, and interactions on "
            f"both sides of the replay's start)"
        )
    return population


def _by_fraction(lengths: IntArray, spec: FractionSplit) -> tuple[IntArray, IntArray]:
    history_end = np.floor(lengths * spec.history + _EPSILON).astype(np.int64)
    replay_from = np.floor(lengths * (spec.history + spec.validation) + _EPSILON).astype(np.int64)
    history_end = np.clip(history_end, 1, np.maximum(lengths - 2, 1))
    replay_from = np.clip(replay_from, history_end + 1, np.maximum(lengths - 1, 2))
    short = lengths < SHORTEST
    return np.where(short, lengths, history_end), np.where(short, lengths, replay_from)


def _before_last(lengths: IntArray) -> tuple[IntArray, IntArray]:
    short = lengths < SHORTEST
    return np.where(short, lengths, lengths - 2), np.where(short, lengths, lengths - 1)


def _at_moments(behaviour: Behaviour, spec: MomentSplit) -> tuple[IntArray, IntArray]:
    times = np.sort(behaviour.times)

    def before(moment: datetime | float) -> IntArray:
        """[users] interactions of each stream that lie before the moment."""
        earlier = (behaviour.times < _seconds(moment, times)).astype(np.int64)
        return np.asarray(np.add.reduceat(earlier, behaviour.offsets[:-1]), np.int64)

    return before(spec.validation_from), before(spec.replay_from)


def _seconds(moment: datetime | float, times: FloatArray) -> float:
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(times[int(moment * len(times))])


def sample_users(behaviour: Behaviour, n: int, seed: int) -> Behaviour:
    """Keep n users drawn at random, in their order; a larger draw of the same seed contains a smaller one.

    The catalogue stays whole, so that item ids keep their meaning. Raises `DataError` where there are fewer users.
    """
    if n > behaviour.n_users:
        raise DataError(f"{behaviour.name}: has {behaviour.n_users} users, {n} were asked for")
    if n == behaviour.n_users:
        return behaviour
    kept = np.sort(np.random.default_rng(seed).permutation(behaviour.n_users)[:n])
    lengths = behaviour.lengths[kept]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    where = np.arange(offsets[-1]) + np.repeat(behaviour.offsets[kept] - offsets[:-1], lengths)
    about = {**behaviour.about, "users_drawn": n, "drawn_from_users": behaviour.n_users, "drawn_by_seed": seed}
    items, times = behaviour.items[where], behaviour.times[where]
    return build(behaviour.name, offsets, items, times, behaviour.catalogue, about)
