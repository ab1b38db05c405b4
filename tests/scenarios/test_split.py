"""The laws of the split: parts in order, disjoint, covering; who can be replayed is; a moment leaks nothing."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scenarios.behaviour import Behaviour, build
from scenarios.errors import DataError
from scenarios.population import Population
from scenarios.schema.data import FractionSplit, LastSplit, MomentSplit, Split
from scenarios.split import sample_users, split


def behaviour_of(streams: list[list[float]]) -> Behaviour:
    """Streams given by their time stamps; items are counted through."""
    offsets = np.concatenate([[0], np.cumsum([len(s) for s in streams])]).astype(np.int64)
    items = np.arange(offsets[-1], dtype=np.int32)
    labels = [str(i) for i in items]
    catalogue = pd.DataFrame({"label": labels, "title": labels, "categories": ""})
    return build("test", offsets, items, np.concatenate([np.sort(s) for s in streams]).astype(float), catalogue, {})


times = st.integers(0, 300).map(float)
behaviours = st.lists(st.lists(times, min_size=1, max_size=25), min_size=1, max_size=8).map(behaviour_of)
shares = st.floats(0.02, 0.98)


def split_or_skip(behaviour: Behaviour, spec: Split) -> Population:
    try:
        return split(behaviour, spec)
    except DataError:
        assume(False)
        raise


def assert_parts(population: Population) -> None:
    """In order and within the stream: so disjoint, and together the whole stream."""
    lengths = population.behaviour.lengths
    assert (population.history_end >= 0).all()
    assert (population.history_end <= population.replay_from).all()
    assert (population.replay_from <= lengths).all()
    assert (population.steps >= 0).all()
    assert ((population.steps == 0) | (population.replay_from >= 1)).all()


@given(behaviours, st.tuples(shares, shares).filter(lambda s: sum(s) < 0.99))
def test_fraction_parts(behaviour: Behaviour, fractions: tuple[float, float]) -> None:
    history, validation = fractions
    population = split_or_skip(behaviour, FractionSplit(history=history, validation=validation))
    assert_parts(population)
    long_enough = behaviour.lengths >= 3
    assert ((population.steps > 0) == long_enough).all()
    assert (population.history_end[~long_enough] == behaviour.lengths[~long_enough]).all()
    off = np.abs(population.history_end - history * behaviour.lengths)[long_enough]
    assert (off <= 2).all()
    assert (population.replay_from > population.history_end)[long_enough].all()


@given(behaviours, shares, shares)
def test_moment_leaks_nothing(behaviour: Behaviour, first: float, second: float) -> None:
    assume(first < second)
    population = split_or_skip(behaviour, MomentSplit(validation_from=first, replay_from=second))
    assert_parts(population)
    position = np.arange(len(behaviour.items)) - np.repeat(behaviour.offsets[:-1], behaviour.lengths)
    trained = position < np.repeat(population.history_end, behaviour.lengths)
    replayed = position >= np.repeat(population.replay_from, behaviour.lengths)
    validated = ~trained & ~replayed
    assert behaviour.times[trained].max() < behaviour.times[validated].min()
    assert behaviour.times[validated].max() < behaviour.times[replayed].min()


@given(behaviours)
def test_leave_last_out_trains_on_neither_of_the_last_two(behaviour: Behaviour) -> None:
    population = split_or_skip(behaviour, LastSplit())
    assert_parts(population)
    for user, length in enumerate(behaviour.lengths.tolist()):
        train, chosen_on, tested = np.split(
            behaviour.stream(user), [population.history_end[user], population.replay_from[user]]
        )
        if length < 3:
            assert len(train) == length
            assert population.steps[user] == 0
        else:
            assert not set(behaviour.stream(user)[-2:].tolist()) & set(train.tolist())  # no item comes twice here
            assert chosen_on.tolist() == behaviour.stream(user)[-2:-1].tolist()
            assert tested.tolist() == behaviour.stream(user)[-1:].tolist()
            assert population.steps[user] == 1


def test_fractions_are_exact_where_they_can_be() -> None:
    population = split(behaviour_of([list(range(10)), list(range(100))]), FractionSplit(history=0.6, validation=0.1))
    assert population.history_end.tolist() == [6, 60]
    assert population.replay_from.tolist() == [7, 70]
    assert population.steps.tolist() == [3, 30]


def test_time_stamps_are_read_as_utc_where_no_zone_is_given() -> None:
    streams = behaviour_of([[0, 10, 20, 30, 40, 50]])
    aware = MomentSplit(
        validation_from=datetime(1970, 1, 1, 0, 0, 20, tzinfo=UTC), replay_from=datetime.fromtimestamp(40, UTC)
    )
    population = split(streams, aware)
    assert (population.history_end[0], population.replay_from[0]) == (2, 4)
    naive = MomentSplit(validation_from=datetime(1970, 1, 1, 0, 0, 20), replay_from=datetime(1970, 1, 1, 0, 0, 40))
    assert split(streams, naive).replay_from.tolist() == [4]


def test_user_first_seen_in_the_future_is_not_replayed() -> None:
    population = split(
        behaviour_of([[0, 1, 2, 3, 8, 9], [8, 9, 10]]), MomentSplit(validation_from=0.3, replay_from=0.5)
    )
    assert population.replayed.tolist() == [0]
    assert population.history_end[1] == 0


@pytest.mark.parametrize(
    ("streams", "spec"),
    [
        ([[1.0], [2.0], [3.0]], FractionSplit()),
        ([[1.0, 2.0], [2.0]], FractionSplit()),
        ([[1.0, 2.0], [2.0]], LastSplit()),
        ([[5.0] * 9], MomentSplit()),
        (
            [[1.0, 2, 3, 4]],
            MomentSplit(validation_from=datetime(1980, 1, 1, tzinfo=UTC), replay_from=datetime(1981, 1, 1, tzinfo=UTC)),
        ),
        ([[1.0, 2, 3], [7.0, 8, 9]], MomentSplit(validation_from=0.4, replay_from=0.5)),
    ],
)
def test_nobody_left(streams: list[list[float]], spec: Split) -> None:
    with pytest.raises(DataError, match="test: the split leaves no"):
        split(behaviour_of(streams), spec)


@given(behaviours, st.integers(0, 2**32), st.data())
def test_sample_keeps_whole_streams(behaviour: Behaviour, seed: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, behaviour.n_users))
    sample = sample_users(behaviour, n, seed)
    assert sample.n_users == n
    assert sample.n_items == behaviour.n_items
    streams = {tuple(behaviour.stream(u).tolist()) for u in range(behaviour.n_users)}
    drawn = [tuple(sample.stream(u).tolist()) for u in range(n)]
    assert set(drawn) <= streams
    assert len(set(drawn)) == n
    more = sample_users(behaviour, behaviour.n_users if n == behaviour.n_users else n + 1, seed)
    assert set(drawn) <= {tuple(more.stream(u).tolist()) for u in range(more.n_users)}


def test_sample_of_more_than_there_are() -> None:
    with pytest.raises(DataError, match="has 1 users, 2 were asked for"):
        sample_users(behaviour_of([[1.0]]), 2, 0)
