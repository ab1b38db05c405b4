"""Who gets most for the same cost: policies read off their curves at equal requests, and compared in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.curve import Digest
from analysis.errors import TableError
from analysis.intervals import Estimate, Interval, interval
from analysis.pareto import Comparison, Path, area, at_cost, common_range, compare, paths
from analysis.plot import ALWAYS, DEVICE_ONLY, ORACLE

COSTS = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Requests per interaction at which policies are compared, where they were run on both sides of it."""
PREFERRED = (0.1, 0.2, 0.05, 0.3, 0.5)
"""Which of these a sentence speaks of."""
RANDOM = "random"
BASELINES = ("periodic", RANDOM)
"""What a policy has to beat: the rules that look at nothing."""
LEADING = 4
METRIC = "ndcg_at_10"


@dataclass(frozen=True)
class Standing:
    """A policy at equal cost.

    difference, p: from the baseline, paired; p is Holm-adjusted within the board; None for the baseline itself.
    kept: its share of what always asking gains over never asking. of_oracle: its share of what choosing the moment can
    bring: what the oracle gains over as many requests made at random (over never asking, where random was not run).
    rank: from 1, None for the oracle.
    """

    policy: str
    rank: int | None
    accuracy: Interval
    difference: Interval | None
    p: float | None
    kept: Interval | None
    of_oracle: Interval | None


@dataclass(frozen=True)
class Board:
    """A leaderboard. cost: requests per interaction, None for the mean over `span`. absent: not run at this cost."""

    cost: float | None
    span: tuple[float, float]
    baseline: str
    standings: tuple[Standing, ...]
    absent: tuple[str, ...]
    close: tuple[str, ...]
    """Policies whose distance from the best one chance explains (Holm, 5%)."""

    @property
    def ranked(self) -> list[Standing]:
        """The policies that compete, best first."""
        return [standing for standing in self.standings if standing.rank is not None]

    def leading(self) -> set[str]:
        """The policies worth a line where there is room for a few: the best, the baseline, the oracle."""
        return {each.policy for each in self.ranked[:LEADING]} | {self.baseline, ORACLE}

    @property
    def best(self) -> Standing:
        """The one that loses least."""
        return self.ranked[0]


def boards(digests: Sequence[Digest]) -> list[Board]:
    """A board for each of `COSTS` that at least two policies were run around, and one for the mean of their range."""
    curves = paths(digests, METRIC)
    levels = {name: curves[name][0][1] for name in (DEVICE_ONLY, ALWAYS) if name in curves}
    swept = {name: path for name, path in curves.items() if name not in levels}
    found = [board for cost in COSTS if (board := _at(swept, levels, cost)) is not None]
    lines = {name: path for name, path in swept.items() if path[0][0].value < path[-1][0].value}
    try:
        low, high = common_range(lines.values()) if len(lines) > 1 else (0.0, 0.0)
    except TableError:
        return found
    scores = {name: area(path, low, high) for name, path in lines.items()} if high > low else {}
    if _competing(scores) > 1:
        found.append(_board(scores, levels, None, (low, high), tuple(sorted(set(swept) - set(scores)))))
    return found


def preferred(found: Sequence[Board]) -> Board | None:
    """The board that a sentence speaks of."""
    by_cost = {board.cost: board for board in found}
    return next((by_cost[cost] for cost in (*PREFERRED, None) if cost in by_cost), None)


def _at(swept: Mapping[str, Path], levels: Mapping[str, Estimate], cost: float) -> Board | None:
    around = {name: path for name, path in swept.items() if path[0][0].value <= cost <= path[-1][0].value}
    scores = {name: at_cost(path, cost) for name, path in around.items()}
    if _competing(scores) < 2:
        return None
    return _board(scores, levels, cost, (cost, cost), tuple(sorted(set(swept) - set(scores))))


def _competing(scores: Mapping[str, Estimate]) -> int:
    return sum(name != ORACLE for name in scores)


def _board(
    scores: Mapping[str, Estimate],
    levels: Mapping[str, Estimate],
    cost: float | None,
    span: tuple[float, float],
    absent: tuple[str, ...],
) -> Board:
    order = sorted(scores, key=lambda name: -scores[name].value)
    ranked = [name for name in order if name != ORACLE]
    rivals = {name: scores[name] for name in ranked}
    baseline = next((name for name in BASELINES if name in rivals), ranked[-1])
    against = {found.policy: found for found in compare(rivals, baseline)}
    behind = compare(rivals, ranked[0])
    floor, top = levels.get(DEVICE_ONLY), levels.get(ALWAYS)
    oracle, blind = scores.get(ORACLE), scores.get(RANDOM, floor)
    standings = []
    for name in order:
        found: Comparison | None = against.get(name)
        standings.append(
            Standing(
                policy=name,
                rank=ranked.index(name) + 1 if name in rivals else None,
                accuracy=interval(scores[name]),
                difference=found.difference if found else None,
                p=found.p if found else None,
                kept=_part(scores[name], top, floor),
                of_oracle=_part(scores[name], oracle, blind) if name != ORACLE else None,
            )
        )
    close = tuple(found.policy for found in behind if not found.p < 0.05)
    return Board(cost, span, baseline, tuple(standings), absent, close)


def _part(score: Estimate, top: Estimate | None, floor: Estimate | None) -> Interval | None:
    """(score - floor) / (top - floor), where the whole is more than chance."""
    if top is None or floor is None or not interval(top - floor).low > 0:
        return None
    return interval((score - floor) / (top - floor))
