"""The curve as plain text, for the terminal: at most 100 characters wide."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

HEADINGS: dict[str, Callable[[pd.Series], str]] = {
    "policy": lambda row: str(row["policy"]),
    "parameter": lambda row: _number(row["parameter"], "{:.4g}"),
    "requests": lambda row: f"{row['requests_per_interaction']:.1%}",
    "NDCG@10": lambda row: f"{row['ndcg_at_10']:.4f} ±{_half(row, 'ndcg_at_10')}",
    "HR@10": lambda row: f"{row['hr_at_10']:.4f} ±{_half(row, 'hr_at_10')}",
    "stale": lambda row: _number(row["mean_staleness"], "{:.1f}"),
    "p95 ms": lambda row: _number(row["latency_p95_ms"], "{:.0f}"),
    "GPU s": lambda row: _number(row["gpu_seconds_per_1000_interactions"], "{:.2f}"),
    "load": lambda row: _number(row["utilisation"], "{:.0%}"),
    "": lambda row: "" if row["settled"] else "*",
}

LEGEND = (
    "requests: per interaction. ±: half of the 95% interval, over users and replications.",
    "stale: clicks since the list held was made. GPU s: per 1,000 interactions. load: its busy share.",
)
UNSETTLED = "* the queue never settled: latency and staleness there depend on how long the run was."


def terminal(curve: pd.DataFrame) -> str:
    """The table, with a line on its columns and one on points whose queue did not settle, where there are any."""
    rows = [list(HEADINGS), *([cell(row) for cell in HEADINGS.values()] for _, row in curve.iterrows())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "-" * sum(widths, 2 * (len(widths) - 2)))
    notes = LEGEND if curve["settled"].all() else (*LEGEND, UNSETTLED)
    return "\n".join([*lines, "", *notes])


def _line(row: list[str], widths: list[int]) -> str:
    cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
    return "  ".join(cells).rstrip()


def _number(value: float, form: str) -> str:
    return "-" if pd.isna(value) else form.format(value)


def _half(row: pd.Series, metric: str) -> str:
    return _number((row[f"{metric}_high"] - row[f"{metric}_low"]) / 2, "{:.4f}").removeprefix("0")
