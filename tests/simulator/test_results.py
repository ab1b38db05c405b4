"""Replications are added while they narrow what is known, and not where the users alone decide it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.curve import Digest
from simulator.results import MOST_REPLICATIONS, further


def digests(replications: int, between_users: float, between_replications: float) -> list[Digest]:
    rng = np.random.default_rng(replications)
    own = between_users * rng.normal(size=200)
    made = []
    for r in range(replications):
        ndcg = 30 * (0.1 + own + between_replications * rng.normal())
        users = pd.DataFrame({"user": np.arange(200), "interactions": 30.0, "ndcg_at_10": ndcg})
        made.append(Digest({"policy": "always", "parameter": None, "replication": r}, users))
    return made


def test_nothing_is_added_once_the_interval_is_narrow_enough() -> None:
    said: list[str] = []
    assert further(digests(4, 0.001, 0.001), 0.01, said.append) is None
    assert said == []


def test_replications_are_added_where_they_matter() -> None:
    more = further(digests(4, 0.001, 0.02), 0.01, pytest.fail)
    assert more is not None
    assert more > 4


@pytest.mark.parametrize(
    ("made", "why"),
    [((4, 0.2, 0.001), "users differ"), ((MOST_REPLICATIONS, 0.001, 0.2), "the most that are run")],
)
def test_where_more_would_not_help_a_line_says_why(made: tuple[int, float, float], why: str) -> None:
    said: list[str] = []
    assert further(digests(*made), 0.01, said.append) is None
    assert why in said[0]
