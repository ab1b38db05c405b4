"""The table of models: its numbers are their textbook definitions, and its intervals know users and trainings."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.errors import TableError
from analysis.evaluation import CUTOFFS, METRICS, accuracy, over, terminal, within
from analysis.intervals import interval, ratio

targets = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), min_size=1, max_size=40)


@given(targets, targets)
def test_metrics_are_their_definitions(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    size = min(len(one), len(other))
    users = np.array([user for user, _ in one[:size]])
    ranks = np.array([[rank for _, rank in made[:size]] for made in (one, other)])
    found = accuracy(users, ranks)
    for cutoff in CUTOFFS:
        hits = [rank for rank in ranks.ravel().tolist() if 1 <= rank <= cutoff]
        assert found[f"hr_at_{cutoff}"] == pytest.approx(len(hits) / ranks.size)
        assert found[f"ndcg_at_{cutoff}"] == pytest.approx(sum(1 / math.log2(rank + 1) for rank in hits) / ranks.size)
        assert found[f"mrr_at_{cutoff}"] == pytest.approx(sum(1 / rank for rank in hits) / ranks.size)


def test_one_training_of_one_target_a_user_has_students_interval() -> None:
    ranks = np.random.default_rng(0).integers(1, 40, 200)
    found = accuracy(np.arange(200), ranks[None])
    hits = (ranks <= 10).astype(float)
    low, high = stats.t.interval(0.95, 199, hits.mean(), stats.sem(hits))
    assert (found["hr_at_10_low"], found["hr_at_10_high"]) == pytest.approx((low, high))


def test_intervals_are_clustered_by_user_and_by_training() -> None:
    draws = np.random.default_rng(1)
    users = np.repeat(np.arange(30), 4)
    luck = draws.integers(0, 2, (3, 1))
    ranks = draws.integers(1, 12, 30)[users][None] + luck + draws.integers(0, 3, (3, 120))
    hits = (ranks <= 10).reshape(3, 30, 4).sum(2).astype(float)
    expected = interval(ratio(hits, np.full((3, 30), 4.0)))
    found = accuracy(users, ranks)
    assert (found["hr_at_10_low"], found["hr_at_10_high"]) == pytest.approx((expected.low, expected.high))
    alone = accuracy(np.arange(360), ranks.reshape(1, -1))  # as if all were independent
    assert alone["hr_at_10_high"] - alone["hr_at_10_low"] < expected.high - expected.low


def test_a_gain_is_the_difference_and_its_interval_is_paired() -> None:
    draws = np.random.default_rng(2)
    users = np.repeat(np.arange(60), 5)
    control = draws.integers(1, 15, (3, 300))
    better = np.maximum(control - (draws.random(control.shape) < 0.1), 1)
    made, one, other = over("gain", users, better, control), accuracy(users, better), accuracy(users, control)
    assert made["gain"] == pytest.approx(one["ndcg_at_10"] - other["ndcg_at_10"])
    assert made["gain_low"] > 0
    assert made["gain_high"] - made["gain_low"] < (one["ndcg_at_10_high"] - one["ndcg_at_10_low"]) / 2
    assert set(over("gain", users, control, control).values()) == {0.0}
    alone = over("gain", users, better, control[:1])
    assert alone["gain"] == pytest.approx(one["ndcg_at_10"] - accuracy(users, control[:1])["ndcg_at_10"])
    assert within(users, better)["list_ndcg_at_10"] == pytest.approx(one["ndcg_at_10"])


def test_nothing_to_predict_is_refused() -> None:
    with pytest.raises(TableError):
        accuracy(np.zeros(0, np.int64), np.zeros((1, 0), np.int64))


def test_the_terminal_shows_a_column_a_model() -> None:
    numbers = {name: value for metric in METRICS for name, value in _known(metric).items()}
    costs = {"trainings": 3, "parameters": 12345, "milliseconds": 0.25, "epochs": 8.0, "training_s": 60.0}
    rows = [
        {"model": "sasrec", "state_bytes": 6400.0, **numbers, **costs},
        {"model": "causal", "state_bytes": np.nan, **numbers, **costs},
    ]
    text = terminal(pd.DataFrame(rows))
    lines = {line[:16].strip(): line[16:].split() for line in text.splitlines()}
    assert lines["model"] == ["sasrec", "causal"]
    assert lines["NDCG@10"] == ["0.2500", "±.0200"] * 2
    assert lines["state bytes"] == ["6,400", "-"]
    assert max(map(len, text.splitlines())) <= 115


def _known(metric: str) -> dict[str, float]:
    return {metric: 0.25, f"{metric}_low": 0.23, f"{metric}_high": 0.27}
