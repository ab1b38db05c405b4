"""A table of models side by side: accuracy from their ranks, with intervals, beside what each costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.intervals import interval, ratio

CUTOFFS = (5, 10, 20)

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

GAINS: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "hr": np.ones_like,
    "ndcg": lambda rank: 1 / np.log2(rank + 1),
    "mrr": lambda rank: 1 / rank,
}
"""What the one true item is worth at its rank; nothing beyond the cutoff."""

METRICS = tuple(f"{name}_at_{cutoff}" for name in GAINS for cutoff in CUTOFFS)


def accuracy(users: IntArray, ranks: IntArray) -> dict[str, float]:
    """Each of `METRICS` as a mean over targets, with `<metric>_low` and `<metric>_high` of its 95% interval.

    users: [targets] whose each is. ranks: [trainings, targets] from 1, 0 where an item is ranked nowhere. The interval
    is clustered by user and by training (see `analysis.intervals`). Raises `TableError` where there are no targets.
    """
    found: dict[str, float] = {}
    for name in GAINS:
        for cutoff in CUTOFFS:
            found |= _mean(f"{name}_at_{cutoff}", users, _gains(name, cutoff, ranks))
    return found


def within(users: IntArray, ranks: IntArray) -> dict[str, float]:
    """NDCG@10 likewise, as `list_ndcg_at_10`, of ranks in what a device shows of the cloud's fresh lists."""
    return _mean("list_ndcg_at_10", users, _gains("ndcg", 10, ranks))


def over(name: str, users: IntArray, ranks: IntArray, control: IntArray) -> dict[str, float]:
    """By how much NDCG@10 is above that of a control, as `<name>`, with its interval: paired by user and by training.

    control: [trainings, targets] or, of a control that was trained once, [1, targets].
    """
    return _mean(name, users, _gains("ndcg", 10, ranks) - _gains("ndcg", 10, control))


def _gains(name: str, cutoff: int, ranks: IntArray) -> FloatArray:
    worth = GAINS[name](np.maximum(ranks, 1).astype(float))
    return np.where((ranks > 0) & (ranks <= cutoff), worth, 0.0)


def _mean(name: str, users: IntArray, gains: FloatArray) -> dict[str, float]:
    _, of = np.unique(users, return_inverse=True)
    targets = np.tile(np.bincount(of).astype(np.float64), (len(gains), 1))
    made = interval(ratio(np.array([np.bincount(of, row) for row in gains], np.float64), targets))
    return {name: made.value, f"{name}_low": made.low, f"{name}_high": made.high}


Cell = Callable[[pd.Series], str]


def _of_metric(metric: str, sign: str = "") -> Cell:
    def cell(row: pd.Series) -> str:
        if metric not in row or pd.isna(row[metric]):
            return "-"
        half = _number((row[f"{metric}_high"] - row[f"{metric}_low"]) / 2, "{:.4f}").removeprefix("0")
        return f"{row[metric]:{sign}.4f} ±{half}"

    return cell


LINES: Mapping[str, Cell] = {
    **{metric.upper().replace("_AT_", "@"): _of_metric(metric) for metric in METRICS},
    "over the first": _of_metric("gain", "+"),
    "in lists": _of_metric("list_ndcg_at_10"),
    "over the first's": _of_metric("list_gain", "+"),
    "parameters": lambda row: f"{row['parameters']:,.0f}",
    "state bytes": lambda row: _number(row["state_bytes"], "{:,.0f}"),
    "ms an interaction": lambda row: f"{row['milliseconds']:.3g}",
    "epochs": lambda row: f"{row['epochs']:.3g}",
    "training s": lambda row: f"{row['training_s']:.0f}",
    "trainings": lambda row: f"{row['trainings']:.0f}",
}
"""What is printed of a row of the table, from top to bottom."""

LEGEND = (
    "±: half of the 95% interval, over users and trainings. Every item not yet consumed is ranked; none is sampled.",
    "over the first: NDCG@10 less that of the first model, paired by user and by training.",
    "in lists: NDCG@10 of what the device shows of the cloud's lists, were each new at every step.",
    "ms an interaction: of one device on one core of this machine, one item read and the whole catalogue scored.",
    "epochs, training s: mean of the trainings; of the last stage alone, without the cloud's model that it asks.",
    "state bytes: what a device keeps between two interactions, a head of its own and what it trains that on with it;",
    "-, where the context is read anew each time.",
)


def terminal(table: pd.DataFrame) -> str:
    """The table as text: a column a model, a line a quantity."""
    columns = [
        ["model", *LINES],
        *([str(row["model"]), *(cell(row) for cell in LINES.values())] for _, row in table.iterrows()),
    ]
    return "\n".join([*_aligned(columns), "", *LEGEND])


def _aligned(columns: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for cells in zip(*columns, strict=True):
        rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        lines.append("  ".join([cells[0].ljust(widths[0]), *rest]).rstrip())
    lines.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    return lines


def _number(value: float, form: str) -> str:
    return "-" if pd.isna(value) else form.format(value)
