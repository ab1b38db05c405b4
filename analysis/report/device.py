"""The three-way trade-off: accuracy, requests, and the bytes that a device must hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.plot import ORACLE
from analysis.report import wording
from analysis.report.chart import Axis, Chart, Point, Series, look
from analysis.report.curves import plain
from analysis.report.folder import Results
from analysis.report.leaderboard import METRIC, Board, Standing


@dataclass(frozen=True)
class FrontPoint:
    """A point that no other one beats in accuracy, requests and device bytes at once; the oracle's beat nobody."""

    name: str
    policy: str
    requests: float
    bytes: float | None
    accuracy: float
    low: float
    high: float


def parts(results: Results) -> dict[str, float]:
    """What every device holds, in bytes by part, as `summary.json` says; nothing where it does not."""
    facts = results.facts.get("recommenders", {})
    found = {
        "SRM": facts.get("srm", {}).get("bytes_without_item_vectors"),
        "item vectors": facts.get("device_catalogue", {}).get("bytes"),
        "adaptation": facts.get("device_adaptation", {}).get("bytes"),
    }
    return {name: float(size) for name, size in found.items() if size is not None}


def device_bytes(results: Results) -> dict[str, float] | None:
    """Policy to what a device holds under it: the parts, and its cells' `policy_bytes`; None where no part is known."""
    shared = parts(results)
    if not shared:
        return None
    own = {cell.digest.point[0]: float(cell.facts.get("policy_bytes", 0)) for cell in results.cells}
    return {policy: sum(shared.values()) + size for policy, size in own.items()}


def front(curve: pd.DataFrame, held: Mapping[str, float] | None) -> list[FrontPoint]:
    """The points on the three-way front, in the order of requests; the two-way one where bytes are not known."""
    curve = curve[curve["policy"] != ORACLE]
    sizes = curve["policy"].map(held).to_numpy(float) if held else np.zeros(len(curve))
    requests, value = curve["requests_per_interaction"].to_numpy(float), curve[METRIC].to_numpy(float)
    rows = curve[_undominated(np.stack([requests, sizes, -value]))].sort_values("requests_per_interaction")
    return [
        FrontPoint(
            wording.point(row["policy"], row["parameter"]),
            str(row["policy"]),
            float(row["requests_per_interaction"]),
            held[row["policy"]] if held else None,
            float(row[METRIC]),
            float(row[f"{METRIC}_low"]),
            float(row[f"{METRIC}_high"]),
        )
        for _, row in rows.iterrows()
    ]


def _undominated(burdens: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """[points] for [burdens, points]: no other point has none of its burdens larger and one smaller."""
    mine, others = burdens[:, :, None], burdens[:, None, :]
    beaten = np.all(others <= mine, axis=0) & np.any(others < mine, axis=0)
    best: npt.NDArray[np.bool_] = ~np.any(beaten, axis=1)
    return best


def three_way(runs: Sequence[tuple[str, Mapping[str, float] | None, Sequence[Board]]]) -> Chart | None:
    """Accuracy against requests, a line for each size of a device; None where fewer than two sizes are known.

    runs: (name, bytes by policy, boards). A point is the best policy of that size, as it is told, at that cost.
    """
    best: dict[str, dict[float, tuple[str, Standing]]] = {}
    sizes: dict[str, float] = {}
    for run, held, boards in runs:
        known = held or {}
        for cost, ranked in ((board.cost, board.ranked) for board in boards):
            for standing in ranked:
                if cost is None or standing.policy not in known:
                    continue
                words = wording.size(known[standing.policy])
                sizes.setdefault(words, known[standing.policy])
                at = best.setdefault(words, {})
                if cost not in at or standing.accuracy.value > at[cost][1].accuracy.value:
                    at[cost] = run, standing
    if len(best) < 2:
        return None
    series = []
    for place, words in enumerate(sorted(sizes, key=lambda words: sizes[words])):
        points = tuple(_point(cost, words, *found) for cost, found in sorted(best[words].items()))
        series.append(Series(words, look(place), points))
    return Chart(
        id="bytes",
        title="Accuracy, requests and device bytes",
        x=(Axis("requests", "requests per interaction", share=True, zero=True),),
        y=(Axis(METRIC, "NDCG@10"),),
        series=tuple(series),
        columns=("requests", "held on a device", "policy", "NDCG@10", "95% interval"),
        note="A line for each size of what a device holds: of its policies, the one that gets most out of each cost.",
    )


def _point(cost: float, size: str, run: str, standing: Standing) -> Point:
    found = standing.accuracy
    return Point(
        name=f"{run}: {standing.policy}" if run else standing.policy,
        place=plain({"requests": cost, METRIC: found.value}),
        low=plain({METRIC: found.low}),
        high=plain({METRIC: found.high}),
        tip=(
            wording.share(cost),
            size,
            standing.policy,
            wording.accuracy(found.value),
            f"{wording.accuracy(found.low)} to {wording.accuracy(found.high)}",
        ),
    )
