"""Where a service breaks: the map of a stress run, its stairs of load up and down, and the cliffs as text."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator, PercentFormatter

from analysis.plot import GRID, INK, LOOKS, QUIET, SETTINGS

STATES: Final = {"stable": ("#007a5a", "o"), "backlogged": ("#c98a00", "^"), "overloaded": ("#b3261e", "X")}
"""State to its colour and marker."""
ACROSS: Final = 3
"""Panels side by side."""


def terminal(cliffs: pd.DataFrame, devices: int) -> str:
    """A line a cliff: where, between which numbers of devices, and what gives way."""
    rows = [("setting", "policy", "parameter", "cliff (devices)", "load", "gives way")]
    for row in _rows(cliffs):
        parameter = "-" if pd.isna(row["parameter"]) else f"{row['parameter']:.4g}"
        if np.isinf(row["left"]):
            where, load = f"> {row['held'] * devices:,.0f}", f"> {row['held']:.3g}"
        elif not row["held"]:
            where, load = f"< {row['left'] * devices:,.0f}", f"< {row['left']:.3g}"
        else:
            where, load = f"{row['held'] * devices:,.0f} - {row['left'] * devices:,.0f}", f"{row['load']:.3g}"
        rows.append((row["setting"], row["policy"], parameter, where, load, row["gives_way"] or "-"))
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in zip(*columns, strict=True)
    ]
    return "\n".join([lines[0], "-" * sum(widths, 2 * (len(widths) - 1)), *lines[1:]])


def draw_map(probes: pd.DataFrame, cliffs: pd.DataFrame, path: Path, title: str) -> None:
    """A panel a setting, a row a point, loads to the right; every run is a mark in the colour of its state."""
    names = _names(probes)
    probes, cliffs = probes.assign(name=names), cliffs.assign(name=_names(cliffs))
    order = probes.groupby("name", sort=False)["requests_per_interaction"].mean().sort_values(kind="stable").index
    panels = list(dict.fromkeys(cliffs["setting"]))
    height = 0.9 + 0.26 * len(order) + 0.35
    figure, grid = _panels(len(panels), height, title)
    low, high = float(probes["load"].min()), float(probes["load"].max())
    for axes, setting in zip(grid, panels, strict=True):
        here = probes[probes["setting"] == setting]
        rows = {name: place for place, name in enumerate(order)}
        for row in _rows(cliffs[cliffs["setting"] == setting]):
            place = rows[row["name"]]
            held, left = max(row["held"], low / 1.25), min(row["left"], high * 1.25)
            axes.plot(
                [low / 1.25, held], [place, place], color=STATES["stable"][0], lw=5, alpha=0.25, solid_capstyle="butt"
            )
            axes.plot(
                [left, high * 1.25],
                [place, place],
                color=STATES["overloaded"][0],
                lw=5,
                alpha=0.18,
                solid_capstyle="butt",
            )
            if row["held"] and not np.isinf(row["left"]):
                axes.plot([row["load"]] * 2, [place - 0.42, place + 0.42], color=INK, lw=1.6)
        for state, (colour, marker) in STATES.items():
            some = here[here["state"] == state]
            axes.plot(some["load"], some["name"].map(rows), marker, color=colour, ms=5, mec="white", mew=0.6, ls="none")
        axes.set_xscale("log")
        axes.set_xlim(low / 1.25, high * 1.25)
        axes.set_xticks(sorted(set(probes["load"]) & set(2.0 ** np.arange(-8, 12))))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_yticks(range(len(order)), list(order))
        axes.set_ylim(-0.7, len(order) - 0.3)
        axes.set_xlabel("load: times the devices of the scenario")
        axes.set_title(setting or "as the scenario says", loc="left", size=10)
        axes.grid(axis="x", color=GRID)
    marks = [Line2D([], [], color=c, marker=m, ls="none", label=state) for state, (c, m) in STATES.items()]
    marks.append(Line2D([], [], color=INK, marker="|", ms=10, mew=1.6, ls="none", label="cliff: the objective is left"))
    figure.legend(handles=marks, loc="lower left", ncols=4, frameon=False, bbox_to_anchor=(0.01, 0.0))
    _save(figure, path)


def draw_stairs(stairs: pd.DataFrame, path: Path) -> None:
    """A panel a setting: failures on the way up (solid) and down (dashed) at the same loads, a colour a point."""
    stairs = stairs.assign(name=_names(stairs))
    panels = list(dict.fromkeys(stairs["setting"]))
    figure, grid = _panels(len(panels), 3.6, "The same load, on the way up and on the way down")
    looks = {name: LOOKS[i % len(LOOKS)] for i, name in enumerate(dict.fromkeys(stairs["name"]))}
    for axes, setting in zip(grid, panels, strict=True):
        for name, group in stairs[stairs["setting"] == setting].groupby("name", sort=False):
            look, top = looks[str(name)], int(group["of_cliff"].to_numpy().argmax())
            up, down = group.iloc[: top + 1], group.iloc[top:]
            axes.plot(up["of_cliff"], up["failed_share"], color=look.colour, marker=look.marker, ms=4, label=name)
            axes.plot(down["of_cliff"], down["failed_share"], color=look.colour, marker=look.marker, ms=4, ls="--")
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("load, times that of the cliff (solid: rising, dashed: falling)")
        axes.set_ylabel("attempts that fail")
        axes.set_title(setting or "as the scenario says", loc="left", size=10)
        axes.grid(color=GRID)
        axes.legend(frameon=False, fontsize=8)
    _save(figure, path)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _names(table: pd.DataFrame) -> pd.Series:
    value = table["parameter"].map(lambda number: "" if pd.isna(number) else f" {number:.3g}")
    return table["policy"] + value


def _panels(count: int, height: float, title: str) -> tuple[Figure, list[Axes]]:
    across = min(count, ACROSS)
    down = -(-count // across)
    low = 0.3 / (0.9 + height * down)  # room for the legend below
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        figure = Figure(
            figsize=(max(8.2, 4.4 * across), 0.9 + height * down),
            layout=ConstrainedLayoutEngine(rect=(0, low, 1, 1 - low)),
        )
        FigureCanvasAgg(figure)
        figure.suptitle("\n".join(textwrap.wrap(title, 90)), x=0.01, ha="left", size=12, weight="bold", color=INK)
        axes = figure.subplots(down, across, squeeze=False, sharey=True).ravel().tolist()
        for spare in axes[count:]:
            spare.remove()
        for each in axes[:count]:
            for side in ("top", "right"):
                each.spines[side].set_visible(False)
            each.tick_params(color=QUIET)
            each.set_axisbelow(True)
    return figure, axes[:count]


def _save(figure: Figure, path: Path) -> None:
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        figure.savefig(path, format="png", dpi=160, metadata={"Software": None})
