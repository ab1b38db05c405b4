"""The generated population has the properties it promises, and a signal that order carries."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.behaviour import Behaviour
from scenarios.datasets.synthetic import SHORTEST, generate
from scenarios.schema.data import Synthetic

specs = st.builds(
    Synthetic,
    users=st.integers(1, 40),
    items=st.integers(20, 400),
    interactions_per_user=st.integers(5, 60),
    interests=st.integers(1, 500),
    drift=st.floats(0, 1),
    zipf_exponent=st.floats(0, 4),
    session_length=st.floats(0.1, 50),
    daily_cycle=st.floats(0, 1),
)


def owners(behaviour: Behaviour) -> np.ndarray:
    return np.repeat(np.arange(behaviour.n_users), behaviour.lengths)


@given(specs, st.integers(0, 2**63 - 1))
@settings(deadline=None, max_examples=60)
def test_every_population_is_well_formed(spec: Synthetic, seed: int) -> None:
    behaviour = generate(spec, seed)  # `build` holds ids in range and times in order
    assert (behaviour.n_users, behaviour.n_items) == (spec.users, spec.items)
    assert behaviour.lengths.min() >= SHORTEST
    assert behaviour.lengths.max() <= spec.items // 2
    assert np.isfinite(behaviour.times).all()
    keys = owners(behaviour) * spec.items + behaviour.items
    assert len(np.unique(keys)) == len(keys), "somebody takes an item twice"


def test_same_seed_same_population() -> None:
    spec = Synthetic(users=50)
    assert generate(spec, 7).digest == generate(spec, 7).digest
    assert generate(spec, 7).digest != generate(spec, 8).digest


def test_lengths_are_geometric_about_their_mean() -> None:
    lengths = generate(Synthetic(users=4000, items=4000, interactions_per_user=30), 1).lengths
    deviation = np.sqrt(26 * 25)  # of the geometric part, of mean 25 beyond the shortest
    assert lengths.mean() == pytest.approx(30, abs=4 * deviation / np.sqrt(4000))
    assert lengths.std() == pytest.approx(deviation, rel=0.1)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_popularity_follows_zipf(exponent: float) -> None:
    """In short streams over many items repeats are rare, so counts fall as rank to the power given."""
    spec = Synthetic(users=20_000, items=2000, interactions_per_user=5, zipf_exponent=exponent)
    behaviour = generate(spec, 3)
    rank = behaviour.catalogue["label"].astype(int).to_numpy()
    counts = np.bincount(rank[behaviour.items] - 1, minlength=2000)
    middle = slice(20, 500)
    slope = np.polyfit(np.log(np.arange(1, 2001)[middle]), np.log(counts[middle]), 1, w=np.sqrt(counts[middle]))[0]
    assert -slope == pytest.approx(exponent, abs=0.08)


def test_ids_tell_nothing_of_popularity() -> None:
    behaviour = generate(Synthetic(), 0)
    rank = behaviour.catalogue["label"].astype(int)
    assert abs(np.corrcoef(rank, np.arange(len(rank)))[0, 1]) < 4 / np.sqrt(len(rank))


def test_sessions_and_daily_cycle() -> None:
    spec = Synthetic(users=3000, session_length=8.0, daily_cycle=1.0)
    behaviour = generate(spec, 5)
    gaps = np.diff(behaviour.times)
    inside = np.ones(len(gaps), bool)
    inside[behaviour.offsets[1:-1] - 1] = False
    pauses = inside & (gaps > 3600)
    sessions = pauses.sum() + spec.users
    assert len(behaviour.items) / sessions == pytest.approx(8.0, rel=0.1)  # a user's last session is cut short
    starts = np.concatenate([behaviour.times[behaviour.offsets[:-1]], behaviour.times[1:][pauses]])
    hours = (starts % 86_400) / 3600
    asleep = ((hours > 3) & (hours < 5)).mean()
    awake = ((hours > 15) & (hours < 17)).mean()
    assert asleep < 0.01
    assert awake == pytest.approx(2 * 2 / 24, rel=0.1)  # density 1 + depth at the peak


def test_recency_beats_popularity() -> None:
    """What a sequence model must be able to find: the interests of the last few items say which item comes next."""
    behaviour = generate(Synthetic(), 11)
    kinds = behaviour.catalogue["categories"].astype("category").cat.codes.to_numpy()
    position = np.arange(len(behaviour.items)) - behaviour.offsets[owners(behaviour)]
    past = position < 0.6 * behaviour.lengths[owners(behaviour)]
    counts = np.bincount(behaviour.items[past], minlength=behaviour.n_items).astype(float)
    hits = {"popular": 0, "old": 0, "recent": 0}
    asked = 0
    for user in range(300):
        stream = behaviour.stream(user)
        for step in range(int(0.7 * len(stream)), len(stream)):
            if step < 20:
                continue
            asked += 1
            for name, window in (("popular", None), ("old", stream[: step - 10]), ("recent", stream[step - 10 : step])):
                weight = 1.0 if window is None else 0.05 + np.bincount(kinds[window], minlength=kinds.max() + 1)[kinds]
                score = counts * weight
                score[stream[:step]] = -1
                hits[name] += int((score > score[stream[step]]).sum() < 10)
    assert hits["recent"] > 1.5 * hits["popular"]
    assert hits["recent"] > hits["old"], "interests do not drift"
    assert asked > 1000


def test_a_large_catalogue_needs_no_dense_matrix() -> None:
    start = time.perf_counter()
    behaviour = generate(Synthetic(users=2000, items=1_000_000), 1)  # dense: two billion cells
    assert behaviour.n_items == 1_000_000
    assert time.perf_counter() - start < 30
