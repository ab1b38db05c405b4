"""What age does to a list: how good lists were at each age in clicks, and how old the lists shown were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

import numpy as np
import pandas as pd

from analysis.curve import METRICS
from analysis.plot import ACCURACIES
from analysis.report import wording
from analysis.report.chart import Axis, Chart, Point, Series
from analysis.report.curves import accuracies, looks, plain
from analysis.report.folder import Cell, Results

COLUMNS = ["age", "interactions", *METRICS.values()]
"""Columns that are read of the cells' ages (docs/design.md)."""
NEARLY_ALL = 0.99
"""Share of interactions at which a line may leave the picture."""
FEWEST, SHARE = 1000, 0.06
"""Interactions, and share of all of a point, below which ages are put together: a line of fewer would be all noise."""


def ages(results: Results, cells: Iterable[Cell]) -> dict[tuple[str, float | None], pd.DataFrame]:
    """For the point of each cell, `COLUMNS` by age over all its replications; points that showed no list left out."""
    found = {}
    for point in (cell.digest.point for cell in cells):
        tables = [cell.table("ages", COLUMNS) for cell in results.cells if cell.digest.point == point]
        table = pd.concat(tables).groupby("age", as_index=False).sum()
        if len(table := table[table["age"] >= 0]):
            found[point] = table
    return found


def grouped(table: pd.DataFrame) -> pd.DataFrame:
    """Neighbouring ages put together until enough interactions are: `from`, `until` (the last), `age` (their mean),
    `interactions`, and the accuracies."""
    count = table["interactions"].to_numpy()
    enough = max(FEWEST, SHARE * count.sum())
    group = np.zeros(len(table), np.int64)
    held = 0
    for i in range(1, len(table)):
        held += count[i - 1]
        group[i] = group[i - 1] + (held >= enough)
        held = 0 if held >= enough else held
    if group[-1] and count[group == group[-1]].sum() < enough:
        group[group == group[-1]] -= 1  # the rest belongs to what is before
    weighted = table.assign(total=table["age"] * count).groupby(group)
    sums = weighted.sum()
    means = {metric: sums[column] / sums["interactions"] for metric, column in METRICS.items()}
    return pd.DataFrame(
        {
            "from": weighted["age"].min(),
            "until": weighted["age"].max(),
            "age": sums["total"] / sums["interactions"],
            "interactions": sums["interactions"],
            **means,
        }
    )


def by_age(results: Results, cells: Sequence[Cell], shown: Set[str]) -> Chart | None:
    """Accuracy against the age of the list, at the points of some cells; None where no list was shown.

    shown: the policies that the chart begins with.
    """
    found = ages(results, cells)
    if not found:
        return None
    look = looks(policy for policy, _ in found)
    return Chart(
        id="age",
        title="How good lists were at each age",
        x=(Axis("age", "age of the list (clicks)", zero=True),),
        y=accuracies(),
        series=tuple(
            Series(wording.point(*point), look[point[0]], _groups(grouped(table)), shown=point[0] in shown)
            for point, table in found.items()
        ),
        columns=("age", "interactions", *ACCURACIES.values()),
        note="Ages that few lists reached are put together. A rule that asks when its list has grown poor keeps the"
        " good ones longer, so its line may fall less steeply.",
    )


def _groups(table: pd.DataFrame) -> tuple[Point, ...]:
    points = []
    for row in table.to_dict("records"):
        first, last = int(row["from"]), int(row["until"])
        words = f"{first} clicks" if first == last else f"{first} to {last} clicks"
        tip = (words, f"{row['interactions']:,.0f}", *(wording.accuracy(row[metric]) for metric in ACCURACIES))
        points.append(Point(words, plain({key: row[key] for key in ("age", *ACCURACIES)}), tip))
    return tuple(points)


def age_shares(results: Results, cells: Sequence[Cell], shown: Set[str]) -> Chart | None:
    """For the points of some cells, which share of the lists shown was at most so old; None where no list was."""
    found = ages(results, cells)
    if not found:
        return None
    look = looks(policy for policy, _ in found)
    shares = {
        point: table.set_index("age")["interactions"].reindex(range(table["age"].max() + 1), fill_value=0).cumsum()
        for point, table in found.items()
    }
    oldest = max(int(np.searchsorted(share, NEARLY_ALL * share.iloc[-1])) for share in shares.values()) + 1
    return Chart(
        id="ages",
        title="How old the lists shown were",
        x=(Axis("age", "age of the list (clicks)", zero=True),),
        y=(Axis("share", "share of lists at most so old", share=True, zero=True),),
        series=tuple(
            Series(
                wording.point(*point),
                look[point[0]],
                _points(share / share.iloc[-1], oldest),
                marks=False,
                shown=point[0] in shown,
            )
            for point, share in shares.items()
        ),
        columns=("age", "at most so old"),
    )


def _points(shares: pd.Series, oldest: int) -> tuple[Point, ...]:
    return tuple(
        Point(
            name=f"{age} clicks",
            place=plain({"age": float(age), "share": share}),
            tip=(f"{age} clicks", wording.share(share, 1)),
        )
        for age, share in enumerate(shares.iloc[: oldest + 1].tolist())
    )
