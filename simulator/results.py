"""What a run leaves in its folder: scenario and grid before the first cell, curve and summary after the last."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.curve import Digest, by_point, curve, per_interaction, to_csv
from analysis.intervals import interval, narrowest
from analysis.plot import draw
from analysis.report.folder import read as read_results
from analysis.table import terminal
from scenarios.cache import atomic
from scenarios.load import dump
from simulator.preparation import Experiment

MOST_REPLICATIONS = 100
"""To which narrower intervals are looked for; at this number, chance of replications has shrunk tenfold."""


@dataclass(frozen=True)
class Result:
    """What a run leaves: a folder, and its curve as a table."""

    folder: Path
    curve: pd.DataFrame
    summary: dict[str, Any] = field(repr=False)

    def table(self) -> str:
        """The curve as text for a terminal."""
        return f"{terminal(self.curve)}\n\n{self.folder / 'curve.png'}"

    def frame(self, name: str) -> pd.DataFrame:
        """One of the cells' tables that docs/design.md names (requests, devices, series, ...), of all cells together.

        With `policy`, `parameter` and `replication` in front. Raises `TableError` where cells have no such table.
        """
        frames = []
        for cell in read_results(self.folder).cells:
            frame = cell.table(name)
            parameter = np.nan if cell.facts["parameter"] is None else cell.facts["parameter"]
            for place, (column, value) in enumerate(
                {
                    "policy": cell.facts["policy"],
                    "parameter": parameter,
                    "replication": cell.facts["replication"],
                }.items()
            ):
                frame.insert(place, column, value)
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)


def plan(experiment: Experiment, folder: Path) -> None:
    """Write down the scenario as it is run and the cells of its grid, so that a report can tell when one is missing."""
    text = dump(experiment.scenario)
    grid = {"cells": [cell.folder for cell in experiment.cells()], "scenario": sha256(text.encode()).hexdigest()}
    with atomic(folder / "scenario.yaml") as scratch:
        scratch.write_text(text)
    with atomic(folder / "grid.json") as scratch:
        scratch.write_text(json.dumps(grid, indent=1) + "\n")


def further(digests: Sequence[Digest], halfwidth: float, announce: Callable[[str], None]) -> int | None:
    """Replications with which every half of a 95% interval of NDCG@10 may come down to `halfwidth`; None: enough.

    Says so where they are enough because more would not help.
    """
    estimates = [per_interaction(point, "ndcg_at_10") for point in by_point(digests).values()]
    there = int(estimates[0].influence.shape[0])
    widest = np.nanmax([(found.high - found.low) / 2 for found in map(interval, estimates)])
    if widest <= halfwidth:
        return None
    floor = np.nanmax([0.0, *map(narrowest, estimates)])
    known = f"NDCG@10 is known to ±{widest:.2g}, not to ±{halfwidth:.2g}"
    if floor > halfwidth:
        announce(f"{known}: users differ, which leaves ±{floor:.2g} after any number of replications")
        return None
    if there >= MOST_REPLICATIONS:
        announce(f"{known}: {MOST_REPLICATIONS} replications are the most that are run")
        return None
    return min(max(there + 2, there + there // 2), MOST_REPLICATIONS)


def conclude(experiment: Experiment, folder: Path, digests: Sequence[Digest]) -> Result:
    """Write the curve, its picture and the summary."""
    scenario, behaviour = experiment.scenario, experiment.population.behaviour
    points = curve(digests)
    summary = {
        "name": scenario.name,
        "question": scenario.question,
        "recfleet": version("recfleet"),
        "data": {
            "name": behaviour.name,
            "digest": behaviour.digest,
            "users": behaviour.n_users,
            "items": behaviour.n_items,
            "interactions": len(behaviour.items),
            "devices": experiment.world.devices,
            "replayed_interactions": int(experiment.world.lengths.sum()),
        },
        "recommenders": experiment.recommenders.facts,
        "points": json.loads(points.to_json(orient="records", double_precision=10)),
    }
    with atomic(folder / "curve.csv") as scratch:
        scratch.write_text(to_csv(points))
    with atomic(folder / "curve.png") as scratch:
        draw(points, scratch, title=scenario.question or scenario.name, kind="png")
    with atomic(folder / "summary.json") as scratch:
        scratch.write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
    return Result(folder, points, summary)
