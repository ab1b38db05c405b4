"""Curves of several runs in one picture: a line each, by the one rule for asking that all of them have."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.errors import TableError
from analysis.plot import ALWAYS, DEVICE_ONLY, ORACLE


def beside(curves: Mapping[str, pd.DataFrame], y: str) -> tuple[str, pd.DataFrame]:
    """(the rule, one table whose policies are the names of the runs) of curves by name.

    The rule is the one, of those that all runs have, that is best on the first; never asking and always asking are the
    ends of its line. Raises `TableError` where they have none in common.
    """
    rules = [set(curve["policy"]) - {DEVICE_ONLY, ALWAYS, ORACLE} for curve in curves.values()]
    common = set.intersection(*rules)
    if not common:
        raise TableError(f"the runs {', '.join(curves)} have no policy in common, so their curves cannot be compared")
    first = next(iter(curves.values()))
    worth = first[first["policy"].isin(common)].groupby("policy", sort=True)[y].mean()
    rule = str(worth.idxmax())
    tables = [
        curve[curve["policy"].isin([DEVICE_ONLY, rule, ALWAYS])].assign(policy=name) for name, curve in curves.items()
    ]
    return rule, pd.concat(tables, ignore_index=True)
