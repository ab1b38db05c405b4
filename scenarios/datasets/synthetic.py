"""A generated population: drifting latent interests, Zipf popularity, sessions and a daily cycle.

A user is a point v in the space of interests, one number an interest, that wanders as a stationary autoregression: at
each interaction v <- sqrt(1 - drift) v + sqrt(drift) noise. He follows interest z with probability softmax(FOCUS v)_z,
and within it takes an item by popularity. Every item belongs to one interest, so what was taken lately tells what comes
next, and a model that reads recency beats one that counts. Nobody takes an item twice.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scenarios.behaviour import Behaviour, FloatArray, IntArray, build
from scenarios.schema.data import Synthetic

RECIPE = 1
"""Goes up whenever the same specification and seed give another population, so that old copies are made again."""
FOCUS = 3.0
"""Sharpness of a user's choice among interests: a typical user spends most of his time on one to three of sixteen."""
SHORTEST = 5
POPULAR_ROUNDS = 8
"""So often an item that the user has already had is drawn again by popularity, then evenly over the catalogue."""
BLOCK = 1000

DAY_S = 86_400.0
EPOCH_S = 1_735_689_600.0
"""2025-01-01 UTC, when the first users arrive; all have by a month later."""
ARRIVAL_DAYS = 30
QUIET_HOUR = 4.0
"""Fewest sessions start at this hour."""
THINK_S, THINK_SIGMA = 20.0, 0.8
"""Lognormal gaps inside a session: median, and deviation of the logarithm. As the default pace; no source read."""
DAYS_AWAY = 1.5
"""Mean whole days between the end of a session and the day of the next, beyond the first (geometric)."""


def generate(spec: Synthetic, seed: int) -> Behaviour:
    """Generate the population; the same specification and seed give the same one.

    Costs memory and time by interactions and by users x interests, never by users x items.
    """
    rng = np.random.default_rng(seed)
    lengths = _lengths(rng, spec)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    interest_of = _interest_of(rng, spec)
    interests = _interests(rng, spec, offsets, int(interest_of.max()) + 1)
    ranks = _ranks(rng, spec, offsets, interests, interest_of)
    times = _times(rng, spec, offsets)

    ids = rng.permutation(spec.items)
    rank_of = np.argsort(ids)
    names = pd.Series(rank_of + 1).astype(str)
    kinds = "interest " + pd.Series(interest_of[rank_of] + 1).astype(str)
    catalogue = pd.DataFrame({"label": names, "title": "Item " + names, "categories": kinds})
    about = {"source": "generated", "seed": seed, **spec.model_dump()}
    return build("synthetic", offsets, ids[ranks].astype(np.int32), times, catalogue, about)


def _lengths(rng: np.random.Generator, spec: Synthetic) -> IntArray:
    beyond = spec.interactions_per_user - SHORTEST
    return np.minimum(SHORTEST - 1 + rng.geometric(1 / (beyond + 1), spec.users), spec.items // 2)


def _interest_of(rng: np.random.Generator, spec: Synthetic) -> IntArray:
    """[items] the interest of each item, by popularity rank from 0.

    Each run of ranks as long as there are interests is dealt out to all of them, so that they are equally rich.
    """
    interests = min(spec.interests, spec.items)
    deals = -(-spec.items // interests)
    return rng.permuted(np.tile(np.arange(interests), (deals, 1)), axis=1).ravel()[: spec.items]


def _interests(rng: np.random.Generator, spec: Synthetic, offsets: IntArray, interests: int) -> IntArray:
    """[interactions] the interest that each interaction follows, walked through by all users at once."""
    lengths = np.diff(offsets)
    longest_first = np.argsort(-lengths, kind="stable")
    lengths, starts = lengths[longest_first], offsets[:-1][longest_first]
    chosen = np.empty(offsets[-1], np.int64)
    keep, renew = np.float32(np.sqrt(1 - spec.drift)), np.float32(np.sqrt(spec.drift))
    place = rng.standard_normal((spec.users, interests), dtype=np.float32)
    for step in range(int(lengths[0])):
        place = place[: np.count_nonzero(lengths > step)]
        if step:
            place *= keep
            place += renew * rng.standard_normal(place.shape, dtype=np.float32)
        shares = np.cumsum(np.exp(FOCUS * place), axis=1)
        coins = rng.random((len(place), 1), dtype=np.float32) * shares[:, -1:]
        chosen[starts[: len(place)] + step] = np.minimum((shares <= coins).sum(axis=1), interests - 1)
    return chosen


def _ranks(
    rng: np.random.Generator, spec: Synthetic, offsets: IntArray, interests: IntArray, interest_of: IntArray
) -> IntArray:
    """[interactions] the popularity rank of the item taken, from 0; no user takes one twice."""
    owners = np.repeat(np.arange(spec.users), np.diff(offsets))
    grouped = np.argsort(interest_of, kind="stable")
    weights = (grouped + 1.0) ** -spec.zipf_exponent
    first = np.searchsorted(interest_of[grouped], np.arange(interest_of.max() + 2))
    before = np.concatenate([[0.0], np.cumsum(weights)])
    # One ladder for all: interest z covers the stretch from z to z + 1.
    total = before[first[1:]] - before[first[:-1]]
    ladder = (
        interest_of[grouped] + (before[1:] - before[first[:-1]][interest_of[grouped]]) / total[interest_of[grouped]]
    )

    taken = np.empty(len(interests), np.int64)
    for start in range(0, spec.users, BLOCK):  # in blocks that fit the processor's cache
        block = slice(offsets[start], offsets[min(start + BLOCK, spec.users)])
        wishes, had = interests[block], owners[block] * spec.items
        again: IntArray = np.arange(len(wishes))
        attempt = 0
        while len(again):
            if attempt < POPULAR_ROUNDS:
                wish = wishes[again]
                place = np.searchsorted(ladder, wish + rng.random(len(again)), side="right")
                taken[block][again] = grouped[np.clip(place, first[wish], first[wish + 1] - 1)]
            else:
                taken[block][again] = rng.integers(spec.items, size=len(again))
            again = np.flatnonzero(pd.Series(had + taken[block]).duplicated())
            attempt += 1
    return taken


def _times(rng: np.random.Generator, spec: Synthetic, offsets: IntArray) -> FloatArray:
    """[interactions] seconds since 1970. A user starts at most one session a day, so that no two overlap."""
    n = int(offsets[-1])
    opens = rng.random(n) < 1 / max(spec.session_length, 1.0)
    opens[offsets[:-1]] = True
    heads = np.flatnonzero(opens)
    session = np.cumsum(opens) - 1
    clock = np.cumsum(np.where(opens, 0.0, rng.lognormal(np.log(THINK_S), THINK_SIGMA, n)))
    into = clock - clock[heads][session]

    hour_s = _time_of_day(rng, spec.daily_cycle, len(heads))
    ends = np.append(heads[1:], n) - 1
    over_midnight = ((hour_s + into[ends]) // DAY_S).astype(np.int64)
    away = 1 + over_midnight + rng.geometric(1 / (1 + DAYS_AWAY), len(heads)) - 1
    elapsed = np.concatenate([[0], np.cumsum(away)[:-1]])
    owner = np.searchsorted(offsets, heads, side="right") - 1
    first_session = np.searchsorted(heads, offsets[:-1])
    day = elapsed - elapsed[first_session][owner] + rng.integers(ARRIVAL_DAYS, size=spec.users)[owner]
    return np.asarray(EPOCH_S + (day * DAY_S + hour_s)[session] + into)


def _time_of_day(rng: np.random.Generator, depth: float, n: int) -> FloatArray:
    """[n] seconds after midnight, of density 1 - depth cos(angle from the quiet hour), by inversion."""
    hours = np.linspace(0.0, 24.0, 1441)
    angle, start = 2 * np.pi * (hours - QUIET_HOUR) / 24, 2 * np.pi * -QUIET_HOUR / 24
    covered = hours / 24 - depth / (2 * np.pi) * (np.sin(angle) - np.sin(start))
    return np.interp(rng.random(n), covered, hours) * DAY_S / 24
