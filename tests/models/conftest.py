"""A small population, and a cache of its own for every test."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scenarios.behaviour import Behaviour, build
from scenarios.population import Population

N_ITEMS = 60


def _behaviour(seed: int, users: int, n_items: int = N_ITEMS) -> Behaviour:
    """Users who mostly walk forward through the catalogue, never taking an item twice, of very unlike lengths."""
    draws = np.random.default_rng(seed)
    streams = []
    for _ in range(users):
        length = int(draws.integers(4, n_items * 2 // 3))
        walk = (draws.integers(n_items) + np.cumsum(draws.integers(1, 3, size=2 * length))) % n_items
        _, first = np.unique(walk, return_index=True)
        streams.append(walk[np.sort(first)][:length].astype(np.int32))
    offsets = np.concatenate([[0], np.cumsum([len(stream) for stream in streams])]).astype(np.int64)
    items = np.concatenate(streams)
    labels = [str(item) for item in range(n_items)]
    catalogue = pd.DataFrame({"label": labels, "title": labels, "categories": [""] * n_items})
    return build("small", offsets, items, np.arange(len(items), dtype=np.float64), catalogue, {})


@pytest.fixture
def make_population() -> Callable[..., Population]:
    """Half of each stream is history, a sixth validation."""

    def make(seed: int = 0, users: int = 24) -> Population:
        data = _behaviour(seed, users)
        return Population(data, data.lengths // 2, data.lengths * 2 // 3)

    return make


@pytest.fixture
def population(make_population: Callable[..., Population]) -> Population:
    return make_population()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECFLEET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
