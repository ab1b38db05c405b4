"""Runs side by side: their curves on one plot, what they get for the same cost, and how their scenarios differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.pareto import Comparison, at_cost, compare, paths
from analysis.plot import ALWAYS, DEVICE_ONLY
from analysis.report import wording
from analysis.report.chart import Chart, Series, look
from analysis.report.curves import COLUMNS, accuracies, costs, curve_points, notes
from analysis.report.device import device_bytes, three_way
from analysis.report.folder import Results, flat
from analysis.report.leaderboard import METRIC, PREFERRED, Board, boards, preferred
from analysis.report.page import render

HEADINGS = ("run", "best policy", "NDCG@10", "95% interval", "never", "always", "p95", "cloud busy", "unsettled")


@dataclass(frozen=True)
class Run:
    """One of the runs. name: unlike the others'. board: where it is compared, None where it has no equal cost."""

    name: str
    results: Results
    boards: list[Board]
    board: Board | None


@dataclass(frozen=True)
class Against:
    """A policy's accuracy in each run, at the common cost, and its difference from the first run's; p by Holm."""

    policy: str
    accuracy: dict[str, float]
    differences: dict[str, Comparison]


def line_up(every: Sequence[Results]) -> list[Run]:
    """Runs with names of their own, compared at a cost that all of them have where there is one."""
    names = Counter(results.name for results in every)
    found = [boards(results.whole_points) for results in every]
    cost = next((c for c in PREFERRED if all(any(board.cost == c for board in each) for each in found)), None)
    runs, taken = [], Counter[str]()
    for results, each in zip(every, found, strict=True):
        name = results.name if names[results.name] == 1 else f"{results.name} ({results.folder.name})"
        taken[name] += 1
        name = name if taken[name] == 1 else f"{name} #{taken[name]}"
        board = next((board for board in each if cost is not None and board.cost == cost), preferred(each))
        runs.append(Run(name, results, each, board))
    return runs


def rows(runs: Sequence[Run]) -> list[dict[str, str]]:
    """A line for each run, by `HEADINGS`: its best policy at its board's cost, and that policy's nearest point."""
    lines = []
    for run in runs:
        curve = run.results.curve
        line = dict.fromkeys(HEADINGS, wording.NONE) | {"run": run.name}
        for policy in (DEVICE_ONLY, ALWAYS):
            found = curve.loc[curve["policy"] == policy, METRIC]
            line[policy] = wording.accuracy(float(found.iloc[0])) if len(found) else wording.NONE
        line["unsettled"] = f"{int((~curve['settled'].astype(bool)).sum())} of {len(curve)}"
        if run.board is not None:
            best = run.board.best
            line["best policy"], line["NDCG@10"] = best.policy, wording.accuracy(best.accuracy.value)
            line["95% interval"] = f"{wording.accuracy(best.accuracy.low)} to {wording.accuracy(best.accuracy.high)}"
            own = curve[curve["policy"] == best.policy]
            near = own.iloc[int((own["requests_per_interaction"] - sum(run.board.span) / 2).abs().argmin())]
            line["p95"] = wording.milliseconds(near["latency_p95_ms"])
            line["cloud busy"] = wording.share(near["utilisation"])
        lines.append(line)
    return lines


def terminal(runs: Sequence[Run]) -> str:
    """The lines of `rows` as text."""
    table = [list(HEADINGS), *(list(line.values()) for line in rows(runs))]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def page(runs: Sequence[Run]) -> str:
    """The runs side by side as one HTML page."""
    held = {run.name: device_bytes(run.results) for run in runs}
    return render(
        "compare.html",
        title=" · ".join(run.name for run in runs),
        runs=runs,
        headings=HEADINGS,
        rows=rows(runs),
        curves=curves(runs),
        against=against(runs),
        unpaired=unpaired(runs),
        bytes=three_way([(run.name, held[run.name], run.boards) for run in runs]),
        differing=differing(runs),
    )


def curves(runs: Sequence[Run]) -> Chart:
    """All policies of all runs, begun with the best of each: colour by run, symbol and dash by policy."""
    everything = pd.concat([run.results.curve for run in runs], ignore_index=True)
    policies = sorted(set(everything["policy"]))
    series = []
    for place, run in enumerate(runs):
        best = run.board.best.policy if run.board is not None else ALWAYS
        for policy, points in run.results.curve.groupby("policy", sort=True):
            mark = replace(look(policies.index(str(policy))), colour=look(place).colour)
            shown = policy in (best, ALWAYS, DEVICE_ONLY)
            series.append(Series(str(policy), mark, curve_points(points), shown=shown, group=run.name))
    return Chart(
        id="runs",
        title="Accuracy against cost",
        x=costs(everything),
        y=accuracies(),
        series=tuple(series),
        columns=COLUMNS,
        note=notes(everything),
    )


def unpaired(runs: Sequence[Run]) -> str:
    """Why the runs cannot be compared in pairs; nothing where they can."""
    first = runs[0].results
    cost = runs[0].board.cost if runs[0].board is not None else None
    if cost is None or any(run.board is None or run.board.cost != cost for run in runs):
        return "there is no cost that all of them were run around"
    for run in runs[1:]:
        if not np.array_equal(_users(run.results), _users(first)) or _data(run.results) != _data(first):
            return f"{run.name} replays other users than {runs[0].name}"
        if _seeds(run.results) != _seeds(first):
            return f"{run.name} has other seeds than {runs[0].name}"
    return ""


def against(runs: Sequence[Run]) -> list[Against]:
    """Policy by policy, the runs at their common cost; differences only where the runs can be paired."""
    common = [run.board for run in runs if run.board is not None]
    if len(common) < len(runs) or len({board.cost for board in common}) > 1 or common[0].cost is None:
        return []
    cost, paired = common[0].cost, not unpaired(runs)
    found = []
    every = [{standing.policy for standing in board.standings} for board in common]
    for policy in sorted(set.intersection(*every)):
        scores = {run.name: at_cost(paths(run.results.whole_points, METRIC)[policy], cost) for run in runs}
        compared = compare(scores, runs[0].name) if paired else []
        values = {name: score.value for name, score in scores.items()}
        found.append(Against(policy, values, {one.policy: one for one in compared}))
    return found


def differing(runs: Sequence[Run]) -> dict[str, list[str]]:
    """The scenarios' keys whose values are not the same in all runs, with the value in each."""
    scenarios = [flat(run.results.scenario) for run in runs]
    keys = dict.fromkeys(key for scenario in scenarios for key in scenario)
    values = {key: [scenario.get(key, wording.NONE) for scenario in scenarios] for key in keys}
    return {key: found for key, found in values.items() if len(set(found)) > 1 and key not in ("name", "question")}


def _users(results: Results) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return results.whole_points[0].users["user"].to_numpy(np.int64)


def _data(results: Results) -> object:
    return results.facts.get("data", {}).get("digest")


def _seeds(results: Results) -> list[int]:
    return sorted({int(digest.summary["seed"]) for digest in results.whole_points})
