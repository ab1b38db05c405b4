"""Several runs in one picture: a line each, by one rule that all of them have."""

import pandas as pd
import pytest

from analysis.beside import beside
from analysis.errors import TableError


def curve(**policies: list[float]) -> pd.DataFrame:
    rows = [(policy, ndcg) for policy, values in policies.items() for ndcg in values]
    return pd.DataFrame(rows, columns=["policy", "ndcg_at_10"])


def test_the_rule_is_common_to_all_and_best_on_the_first() -> None:
    one = curve(never=[0.1], always=[0.9], learned=[0.8], footrule=[0.4, 0.5], periodic=[0.5, 0.6], oracle=[0.95])
    two = curve(never=[0.2], always=[0.7], footrule=[0.69], periodic=[0.3], oracle=[0.9])
    rule, both = beside({"one": one, "two": two}, "ndcg_at_10")
    assert rule == "periodic"
    assert both.groupby("policy")["ndcg_at_10"].apply(list).to_dict() == {
        "one": [0.1, 0.9, 0.5, 0.6],
        "two": [0.2, 0.7, 0.3],
    }


def test_runs_without_a_common_rule_are_refused() -> None:
    with pytest.raises(TableError, match="one, two"):
        beside({"one": curve(random=[0.1], never=[0.1]), "two": curve(periodic=[0.1], never=[0.1])}, "ndcg_at_10")
