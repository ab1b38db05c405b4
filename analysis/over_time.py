"""The picture of runs over time: a panel for each quantity, a line for each run, and a shade where something was amiss.

The last panel goes without time: what is answered against what people do. A run that is only slow to recover comes back
on the way it went; where it goes one way and comes another, the state at one load depends on what was before.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis.errors import TableError
from analysis.plot import GRID, INK, LOOKS, METADATA, QUIET, SETTINGS, Format, Look

PANELS: Final = {
    "interactions": "interactions (1/s)",
    "sent": "requests sent, retries included (1/s)",
    "answered": "requests answered (1/s)",
    "waiting": "requests waiting in the cloud",
    "latency_p95_s": "latency of answers, 95th percentile (s)",
    "at_work": "replicas at work, of those up (thin line)",
    "staleness": "age of the list shown (clicks)",
    "ndcg_at_10": "NDCG@10",
}
"""What is drawn over time, and the words above its panel: columns of a series, but for those at work."""

COLUMNS: Final = ["from_s", "until_s", *(name for name in PANELS if name != "at_work"), "utilisation", "replicas_up"]
"""Columns of `series.parquet` that are read."""

DRAWN: Final = (*PANELS, "replicas_up")

RATES: Final = ("interactions", "sent", "answered")
"""Counts, drawn by the second."""

SMOOTHED: Final = 5
"""Windows over which accuracy is averaged: it is a mean over few people, and would hide its course in noise."""

FEWEST: Final = 0.05
"""Interactions, as a share of those at the busiest time, below which accuracy is that of too few people to draw."""

UNITS: Final = ((1.0, "s", 300.0), (60.0, "min", 14400.0), (3600.0, "h", 345600.0), (86400.0, "days", np.inf))
"""Seconds in a unit of time, its name, and the duration from which on the next one reads better."""

NEARLY_ALL: Final = 0.99
"""Share of the interactions after which a run's last stragglers are left out of the picture."""

MOST: Final = 7
"""Lines that can be told apart: they run closer to each other over time than in a curve."""

LEGEND: Final = 5
"""Entries in a row of the legend."""

SHADES: Final = ("#fbe3d3", "#dde7f5", "#e6efd8")


@dataclass(frozen=True)
class Run:
    """A line: its name, and the series (`COLUMNS`) of each of its replications."""

    label: str
    series: Sequence[pd.DataFrame]


@dataclass(frozen=True)
class Span:
    """A time in which something was amiss, in seconds of the simulation."""

    label: str
    from_s: float
    until_s: float


def draw(
    runs: Sequence[Run],
    path: Path,
    *,
    title: str,
    spans: Sequence[Span] = (),
    objective_s: float | None = None,
    kind: Format,
) -> None:
    """Draw runs over time into a file. Raises `TableError` where there is nothing to draw.

    objective_s: what the 95th percentile of latency is to stay below.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        figure = _figure(runs, title, spans, objective_s)
        figure.savefig(path, format=kind, dpi=110, metadata=METADATA[kind])


def course(series: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Mean over replications of what is drawn: `at_s`, the middle of each window, and `DRAWN`.

    Counts are by the second. What some replications lack in a window is the mean of the others. A last window less than
    half as long as the others is left out. Replications whose windows differ in length are read off at the middles of
    the longest ones, on straight lines.
    """
    tables = [_by_second(table) for table in series]
    middles = max(tables, key=lambda table: float(table["at_s"].diff().median()))["at_s"]
    read = [
        pd.DataFrame(
            {name: np.interp(middles, table["at_s"], table[name], left=np.nan, right=np.nan) for name in DRAWN},
            index=middles,
        )
        for table in tables
    ]
    mean = pd.concat(read).groupby(level=0).mean()
    people, share = mean["interactions"], mean["ndcg_at_10"].fillna(0.0)
    among = _smooth(people)
    mean["ndcg_at_10"] = (_smooth(share * people) / among).where(among > FEWEST * among.max())
    return mean.rename_axis("at_s").reset_index()


def _smooth(values: pd.Series) -> pd.Series:
    return values.rolling(SMOOTHED, center=True, min_periods=1).mean()


def _by_second(table: pd.DataFrame) -> pd.DataFrame:
    width = table["until_s"] - table["from_s"]
    if len(table) > 1:
        table, width = table[width > width.iloc[0] / 2], width[width > width.iloc[0] / 2]
    rates = {name: table[name] / width for name in RATES}
    at_work = table["utilisation"] * table["replicas_up"]
    return table.assign(at_s=(table["from_s"] + table["until_s"]) / 2, at_work=at_work, **rates)


def _figure(runs: Sequence[Run], title: str, spans: Sequence[Span], objective_s: float | None = None) -> Figure:
    courses = [course(run.series) for run in runs]
    end_s = max((_nearly_over(table) for table in courses), default=0.0)
    if not end_s > 0:
        raise TableError("there is nothing to draw over time: no run lasted")
    courses = [table[table["at_s"] <= end_s] for table in courses]
    unit, words = next((unit, words) for unit, words, most in UNITS if end_s < most)

    figure = Figure(figsize=(10.6, 8.0))
    FigureCanvasAgg(figure)
    shades = {label: SHADES[place % len(SHADES)] for place, label in enumerate(dict.fromkeys(s.label for s in spans))}
    top = 0.9 - 0.026 * -(-(len(runs) + len(shades)) // LEGEND)
    grid = figure.add_gridspec(3, 3, left=0.05, right=0.985, bottom=0.085, top=top, hspace=0.36, wspace=0.17)
    panels = [figure.add_subplot(grid[place // 3, place % 3]) for place in range(len(PANELS) + 1)]
    looks = [LOOKS[place % len(LOOKS)] for place in range(len(runs))]
    for place, (axes, column) in enumerate(zip(panels, PANELS, strict=False)):
        _frame(axes, PANELS[column])
        for span in spans:
            axes.axvspan(span.from_s / unit, span.until_s / unit, color=shades[span.label], linewidth=0)
        for table, look in zip(courses, looks, strict=True):
            axes.plot(table["at_s"] / unit, table[column], color=look.colour, linestyle=look.dash, linewidth=1.5)
            if column == "at_work":
                axes.plot(table["at_s"] / unit, table["replicas_up"], color=look.colour, linewidth=0.7)
        axes.set_xlim(0, end_s / unit)
        if column == "latency_p95_s" and objective_s is not None:
            axes.axhline(objective_s, color=INK, linewidth=1.0, linestyle=(0, (1, 2.5)))
            axes.annotate(
                "objective",
                (1, objective_s),
                xycoords=("axes fraction", "data"),
                xytext=(-2, 3),
                textcoords="offset points",
                ha="right",
                size=8,
                color=QUIET,
            )
        axes.set_ylim(bottom=0)
        if place + 3 >= len(PANELS):
            axes.set_xlabel(f"simulated time ({words})", size=8.5, labelpad=2)
    _frame(panels[-1], "requests answered (1/s) under load")
    for table, look in zip(courses, looks, strict=True):
        _path(panels[-1], table, look)
    panels[-1].set_xlabel("interactions (1/s)", size=8.5, labelpad=2)
    panels[-1].set_xlim(left=0)
    panels[-1].set_ylim(bottom=0)

    figure.text(0.02, 0.975, textwrap.shorten(title, 110, placeholder=" …"), size=12, weight="bold", va="top")
    handles: list[Artist] = [
        Line2D([], [], color=look.colour, linestyle=look.dash, linewidth=1.9, label=run.label)
        for run, look in zip(runs, looks, strict=True)
    ]
    handles += [Patch(color=shade, label=label) for label, shade in shades.items()]
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0.013, 0.945), ncols=LEGEND, frameon=False, handlelength=3.2
    )
    replications = max(len(run.series) for run in runs)
    times = "one replication" if replications == 1 else f"means of {replications} replications"
    note = f"Lines: {times}, until {NEARLY_ALL:.0%} of the interactions; NDCG@10 over {SMOOTHED} windows at a time."
    note += " Gaps: nobody was answered or held a list, or too few were there."
    figure.text(0.02, 0.018, note, size=8, color=QUIET)
    return figure


def _nearly_over(table: pd.DataFrame) -> float:
    """When most of what people do is done, in seconds."""
    done = table["interactions"].cumsum()
    return float(table["at_s"][done >= NEARLY_ALL * done.max()].iloc[0]) if done.max() > 0 else 0.0


def _frame(axes: Axes, heading: str) -> None:
    axes.set_title(heading, loc="left", size=9.5, pad=5)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, axis="y", labelsize=8.5)
    axes.tick_params(length=2.5, axis="x", labelsize=8.5)
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def _path(axes: Axes, table: pd.DataFrame, look: Look) -> None:
    """The way a run takes through load and what is answered, with arrows where it goes far."""
    x, y = (_smooth(table[name]).to_numpy(float) for name in ("interactions", "answered"))
    axes.plot(x, y, color=look.colour, linestyle=look.dash, linewidth=1.5)
    scale = max(float(np.nanmax(x)), float(np.nanmax(y)), 1e-12)
    way = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)) / scale)])
    for share in (0.15, 0.45, 0.75):
        at = int(np.searchsorted(way, share * way[-1]))
        until = int(np.searchsorted(way, way[at] + 0.04))
        if until < len(x):
            axes.annotate(
                "",
                xy=(x[until], y[until]),
                xytext=(x[at], y[at]),
                arrowprops={"arrowstyle": "-|>", "color": look.colour, "linewidth": 0, "mutation_scale": 13},
            )
