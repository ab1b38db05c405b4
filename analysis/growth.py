"""How time grows with the fleet and with the points of a sweep: two panels, of what `recfleet bench` found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.plot import GRID, INK, LOOKS, METADATA, QUIET, SETTINGS

SINCE = 10_000
"""Devices of the fleet from which linear growth is drawn on, as in the bench's own row."""


def save(found: Mapping[str, Any], path: Path) -> None:
    """Draw the fleets and the sweeps of a bench, as its `--json` has them. path: a png."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        figure = Figure(figsize=(9.6, 3.9), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        _fleets(left, found)
        _sweeps(right, found)
        figure.suptitle(f"recfleet bench {found['scenario']}, {found['cores']} cores", color=INK)
        figure.savefig(path, format="png", dpi=160, metadata=METADATA["png"])


def _fleets(axes: Axes, found: Mapping[str, Any]) -> None:
    devices = [fleet["devices"] for fleet in found["fleets"]]
    seconds = [fleet["seconds"] for fleet in found["fleets"]]
    base = next((fleet for fleet in found["fleets"] if fleet["devices"] >= SINCE), found["fleets"][0])
    linear = [base["seconds"] * fleet["interactions"] / base["interactions"] for fleet in found["fleets"]]
    axes.loglog(devices, linear, color=QUIET, linestyle=":", label=f"linear from {base['devices']:,} on")
    axes.loglog(devices, seconds, color=LOOKS[0].colour, marker=LOOKS[0].marker, label="found")
    _label(axes, "a run by the size of its fleet, outcomes stored", "devices", "seconds")


def _sweeps(axes: Axes, found: Mapping[str, Any]) -> None:
    points = [sweep["points"] for sweep in found["sweeps"]]
    alone = found["sweeps"][0]
    apart = [alone["seconds"] * number / alone["points"] for number in points]
    axes.loglog(points, apart, color=QUIET, linestyle=":", label="each point by itself")
    axes.loglog(
        points, [sweep["seconds"] for sweep in found["sweeps"]], color=LOOKS[1].colour, marker=LOOKS[1].marker,
        label="found",
    )  # fmt: skip
    for sweep in found["sweeps"][1:]:
        axes.annotate(
            f"{sweep['times_one']:.2g} x", (sweep["points"], sweep["seconds"]), (0, -13), textcoords="offset points",
            ha="center", color=INK,
        )  # fmt: skip
    _label(axes, "a sweep by its points, from an empty store", "points", "seconds")


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, color=INK)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color=GRID)
    axes.legend(frameon=False, labelcolor=INK)
