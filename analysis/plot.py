"""The picture of a curve: accuracy against what it costs, a line for each policy, bands for its 95% intervals.

Drawn on a `Figure` of its own (no window, no pyplot, no settings of the user's), so that the same curve gives the same
bytes. Policies differ in colour, marker and dash at once, so the picture survives grey print and colour blindness.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from matplotlib.typing import LineStyleType

from analysis.errors import TableError

Format = Literal["png", "svg", "pdf"]

COSTS: Final = {
    "requests": ("requests_per_interaction", "requests per interaction"),
    "uplink": ("uplink_bytes_per_interaction", "bytes up per interaction"),
    "downlink": ("downlink_bytes_per_interaction", "bytes down per interaction"),
    "gpu": ("gpu_seconds_per_1000_interactions", "GPU seconds per 1,000 interactions"),
    "dollars": ("usd_per_1000_interactions", "US dollars per 1,000 interactions"),
    "latency": ("latency_p95_ms", "latency of an answer, 95th percentile (ms)"),
}
"""What can stand on the horizontal axis: name to the curve's column and the axis' words."""

ACCURACIES: Final = {"ndcg_at_10": "NDCG@10", "hr_at_10": "HR@10", "mrr": "MRR"}
"""What can stand on the vertical axis."""

DEVICE_ONLY, ALWAYS = "never", "always"
"""Policies drawn as level lines: what a fleet gets for nothing, and what it gets for everything."""

ORACLE: Final = "oracle"
"""The policy that sees the true gain: drawn as the upper bound that it is, never as a rival."""

CROWD: Final = 6
"""Lines beyond which the legend stands beside the picture."""

INK, QUIET, GRID = "#1d2433", "#667085", "#e6e8ec"


METADATA: Final[dict[Format, dict[str, None]]] = {
    # No dates and no versions: the same tables give the same bytes.
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None, "Producer": None},
}


@dataclass(frozen=True)
class Look:
    """How one line differs from the others."""

    colour: str
    marker: str
    dash: LineStyleType


LOOKS: Final = (
    # Colours: Okabe & Ito, Color Universal Design (2008), black and yellow left out; darkened where too pale on white.
    Look("#0072b2", "o", "solid"),
    Look("#d55e00", "s", (0, (5, 1.6))),
    Look("#007a5a", "^", (0, (1.2, 1.4))),
    Look("#b04a8b", "D", (0, (6, 1.5, 1.2, 1.5))),
    Look("#c98a00", "v", (0, (8, 2, 1.2, 2, 1.2, 2))),
    Look("#2f9fd8", "P", (0, (3, 1.2))),
    Look("#5b5b5b", "X", (0, (2.5, 1, 1, 1))),
    # Where these are too few: darker and duller ones, after Paul Tol's muted scheme (SRON/EPS/TN/09-002, 2021).
    Look("#882255", "<", (0, (10, 2))),
    Look("#4b3fa8", "p", (0, (4, 1, 1, 1, 1, 1))),
    Look("#7f7a1d", ">", (0, (2, 2))),
    Look("#cf6679", "h", (0, (7, 1.5, 2.5, 1.5))),
    Look("#7a4a1e", "d", (0, (4, 2.4))),
)

BOUND: Final = Look("#8d95a3", ".", (0, (1, 1)))
"""How the oracle is drawn."""

SETTINGS: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine has it
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "svg.hashsalt": "recfleet",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "path.simplify": True,
}


def draw(
    curve: pd.DataFrame, path: Path, *, title: str, x: str = "requests", y: str = "ndcg_at_10", kind: Format
) -> None:
    """Draw a curve (of `analysis.curve.curve`) into a file: one of `ACCURACIES` against one of `COSTS`.

    title: the question that the scenario answers. Raises `TableError` where no point has a value on both axes.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        figure = _figure(curve, title, x, y)
        figure.savefig(path, format=kind, dpi=160, metadata=METADATA[kind])


def _figure(curve: pd.DataFrame, title: str, x: str, y: str) -> Figure:
    column, words = COSTS[x]
    curve = curve.sort_values(["policy", column, "parameter"], kind="stable")
    points = curve.dropna(subset=[column, y])
    levels = curve[curve["policy"].isin([DEVICE_ONLY, ALWAYS])].dropna(subset=[y])
    swept = points[~points["policy"].isin([DEVICE_ONLY, ALWAYS])]
    if points.empty and levels.empty:
        raise TableError(f"the curve has no point with both {column} and {y}")

    looks = _looks(swept, y)
    crowded = len(looks) > CROWD
    figure = Figure(figsize=(11.4, 6.6) if crowded else (8.2, 5.4))
    FigureCanvasAgg(figure)
    lines = textwrap.wrap(title, 104 if crowded else 76, max_lines=2, placeholder=" …")
    inches = figure.get_figheight()
    top = 0.7 + 0.24 * max(len(lines) - 1, 0)
    left, width = (0.065, 0.675) if crowded else (0.085, 0.89)
    axes = figure.add_axes((left, 0.73 / inches, width, 1 - (0.73 + top) / inches))
    figure.text(0.02, 1 - 0.19 / inches, "\n".join(lines), size=12, weight="bold", va="top")
    _frame(axes, words, y)
    figure.text(0.02, 0.12 / inches, _notes(curve), size=8, color=QUIET)
    handles = [_line(axes, group, column, y, look, crowded) for look, group in looks]
    _levels(axes, levels, column, y, middle=(points[column].min() + points[column].max()) / 2)
    if crowded:
        axes.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(1.015, 1),
            frameon=False,
            handlelength=3.6,
            labelspacing=0.75,
        )
    elif handles:
        axes.legend(handles=handles, loc="best", frameon=True, framealpha=0.9, edgecolor="none", handlelength=3.6)
    axes.margins(x=0.03, y=0.09)
    if x != "latency":
        axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    return figure


def _frame(axes: Axes, words: str, y: str) -> None:
    axes.set_xlabel(words, labelpad=6)
    axes.set_title(ACCURACIES[y], loc="left", size=9.5, pad=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))


def _notes(curve: pd.DataFrame) -> str:
    least, most = curve["replications"].min(), curve["replications"].max()
    times = f"{most}" if least == most else f"{least} to {most}"
    bands = f"Bands: 95% intervals over users and {times} replication{'' if most == 1 else 's'}."
    return bands if curve["settled"].all() else f"{bands} Hollow: the cloud's queue never settled there."


def _looks(swept: pd.DataFrame, y: str) -> list[tuple[Look, pd.DataFrame]]:
    """Looks by name, the oracle's apart; in the order of accuracy, so that the legend runs as the lines do."""
    groups = [(str(name), group) for name, group in swept.groupby("policy", sort=True)]
    rivals = [name for name, _ in groups if name != ORACLE]
    looks = {name: LOOKS[place % len(LOOKS)] for place, name in enumerate(rivals)} | {ORACLE: BOUND}
    ordered = sorted(groups, key=lambda pair: -float(pair[1][y].mean()))
    return [(looks[name], group) for name, group in ordered]


def _line(axes: Axes, points: pd.DataFrame, column: str, y: str, look: Look, crowded: bool) -> Line2D:
    """One policy: its band, its line in the order of cost, its points; hollow where the queue did not settle."""
    policy = str(points["policy"].iloc[0])
    cost, value = points[column].to_numpy(float), points[y].to_numpy(float)
    low, high = points[f"{y}_low"].to_numpy(float), points[f"{y}_high"].to_numpy(float)
    if len(points) > 1:
        axes.fill_between(cost, low, high, color=look.colour, alpha=0.05 if crowded else 0.11, linewidth=0)
    else:
        axes.vlines(cost, low, high, color=look.colour, linewidth=1.2)
    axes.plot(cost, value, color=look.colour, linestyle=look.dash, linewidth=1.9)
    settled = points["settled"].to_numpy(bool)
    for chosen, face in ((settled, look.colour), (~settled, "white")):
        axes.plot(
            cost[chosen],
            value[chosen],
            linestyle="none",
            marker=look.marker,
            markersize=6.2,
            markerfacecolor=face,
            markeredgecolor=look.colour if face == "white" else "white",
            markeredgewidth=1.4 if face == "white" else 0.8,
            zorder=3,
        )
    return Line2D(
        [],
        [],
        color=look.colour,
        linestyle=look.dash,
        linewidth=1.9,
        marker=look.marker,
        markersize=6.2,
        markeredgecolor="white",
        label=f"{policy} (upper bound)" if policy == ORACLE else policy,
    )


def _levels(axes: Axes, levels: pd.DataFrame, column: str, y: str, middle: float) -> None:
    """The device-only and the always point, as level lines across the picture, each named beside its point: there the
    names stay apart where both lie at one height."""
    for _, row in levels.iterrows():
        always = row["policy"] == ALWAYS
        left = row[column] > middle or (always and pd.isna(row[column]))  # of its point
        axes.axhline(row[y], color=INK, linewidth=1.1, linestyle=(0, (7, 4)) if always else (0, (1.5, 2.5)), zorder=1.5)
        axes.annotate(
            "always ask" if always else "device only",
            xy=(float(always), row[y]) if pd.isna(row[column]) else (row[column], row[y]),
            xycoords=("axes fraction", "data") if pd.isna(row[column]) else "data",
            xytext=(-9 if left else 9, 4 if always else -4),
            textcoords="offset points",
            ha="right" if left else "left",
            va="bottom" if always else "top",
            size=8.5,
            path_effects=[withStroke(linewidth=3, foreground="white")],
            zorder=5,
        )
        if not pd.isna(row[column]):
            face = INK if row["settled"] else "white"
            axes.vlines(row[column], row[f"{y}_low"], row[f"{y}_high"], color=INK, linewidth=1.1, zorder=4)
            axes.plot(
                row[column],
                row[y],
                "*" if always else "o",
                markersize=11 if always else 5,
                color=INK,
                mfc=face,
                zorder=4,
                clip_on=False,
            )
