"""The answer in three sentences, made from the numbers: what staleness costs, who loses least, what the cloud did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from analysis.curve import Digest
from analysis.intervals import Interval, interval
from analysis.pareto import paths
from analysis.plot import ALWAYS, DEVICE_ONLY, ORACLE
from analysis.report import wording
from analysis.report.leaderboard import METRIC, Board, preferred
from analysis.summary import STATUSES

WORDS = {"rejected": "rejected", "timed_out": "timed out", "lost": "lost", "abandoned": "abandoned"}
NOTABLE = 0.01
"""Share of requests without an answer from which on it is said. The convention of `analysis.settle`."""


@dataclass(frozen=True)
class Finding:
    """A sentence, the figure that sums it up, and what the figure counts."""

    figure: str
    counts: str
    sentence: str


def findings(curve: pd.DataFrame, digests: Sequence[Digest], boards: Sequence[Board]) -> list[Finding]:
    """The three sentences. digests: of the points that can be paired; curve: of all points."""
    board = preferred(boards)
    return [_staleness(curve, digests), _policy(curve, board), _cloud(curve, board)]


def where(board: Board) -> str:
    """The cost of a board in words."""
    if board.cost is not None:
        return f"Asking at {wording.share(board.cost)} of interactions"
    low, high = board.span
    return f"On average over asking at {wording.share(low)} to {wording.share(high)} of interactions"


def _staleness(curve: pd.DataFrame, digests: Sequence[Digest]) -> Finding:
    curves = paths(digests, METRIC)
    everyone = sorted((cost.value, name, value) for name, path in curves.items() for cost, value in path)
    least = curves[DEVICE_ONLY][0][1] if DEVICE_ONLY in curves else everyone[0][2]
    most = curves[ALWAYS][0][1] if ALWAYS in curves else everyone[-1][2]
    seldom = "never asking" if DEVICE_ONLY in curves else f"asking least ({everyone[0][1]})"
    often = "Always asking" if ALWAYS in curves else f"Asking most ({everyone[-1][1]})"
    if len(everyone) < 2:
        only = interval(most)
        text = f"NDCG@10 is {wording.accuracy(only.value)}; with one point there is nothing to compare it with."
        return Finding(wording.accuracy(only.value), "NDCG@10 at the only point", text)
    change = interval(least - most)
    lost = change.value / most.value if most.value else float("nan")
    text = (
        f"{often} brings NDCG@10 {wording.accuracy(most.value)}, {seldom} {wording.accuracy(least.value)}:"
        f" {_verdict(change, lost)} ({_change(change)})"
    )
    stale = curve[(curve["mean_staleness"] > 0) & ~curve["policy"].isin([DEVICE_ONLY, ALWAYS])]
    if len(stale) and most.value:
        row = stale.iloc[int(stale["mean_staleness"].argmax())]
        text += (
            f"; lists that are {wording.number(row['mean_staleness'])} clicks old on average"
            f" ({_named(row)}) {_versus(row[METRIC] / most.value - 1)}"
        )
    figure = "no difference" if change.low <= 0 <= change.high else wording.change(lost)
    return Finding(figure, f"NDCG@10, {seldom} against {_lower(often)}", text + ".")


def _verdict(change: Interval, lost: float) -> str:
    if change.high < 0:
        return f"doing without the cloud loses {wording.share(-lost)}"
    if change.low > 0:
        return f"the cloud's answers lose accuracy here, and doing without them brings {wording.share(lost)} more"
    return "the two cannot be told apart"


def _versus(change: float) -> str:
    return f"lose {wording.share(-change)}" if change < 0 else "lose nothing"


def _policy(curve: pd.DataFrame, board: Board | None) -> Finding:
    if board is None:
        text = "No two policies were run at the same cost, so none of them can be called better than another."
        return Finding(wording.NONE, "no equal cost", text)
    best, ranked = board.best, board.ranked
    text = f"{where(board)}, {best.policy} loses least: NDCG@10 {wording.accuracy(best.accuracy.value)}"
    top = curve.loc[curve["policy"] == ALWAYS, METRIC]
    if len(top):
        change = best.accuracy.value / top.iloc[0] - 1
        text += f", {wording.share(abs(change))} {'below' if change < 0 else 'above'} always asking"
    rival = ranked[1] if best.difference is None else None
    lead, p = (best.difference, best.p) if rival is None else (_turned(rival.difference), rival.p)
    if lead is not None and p is not None:
        gained = lead.value / (best.accuracy.value - lead.value)
        text += f", and {wording.accuracy(lead.value)} ({wording.share(gained)}) above"
        text += f" {rival.policy if rival else board.baseline}"
        text += f" (95% interval {wording.bounds(lead)}, {_holm(p, len(ranked) - 1)})"
    if board.close:
        text += f"; chance may explain its lead over {wording.listing(board.close)}"
    elif len(ranked) > 2:
        text += "; its lead over every other policy is more than chance"
    counts = f"loses least, {_lower(where(board))}"
    if any(standing.policy == ORACLE for standing in board.standings) and best.of_oracle is not None:
        part = wording.share(best.of_oracle.value)
        text += f"; it takes {part} of what the oracle shows that choosing the moment can bring"
    return Finding(best.policy, counts, text + ".")


def _holm(p: float, comparisons: int) -> str:
    over = "one comparison" if comparisons == 1 else f"{comparisons} comparisons"
    return f"Holm {wording.probability(p)} over {over}"


def _turned(interval: Interval | None) -> Interval | None:
    """The interval of the opposite difference."""
    if interval is None:
        return None
    return replace(interval, value=-interval.value, low=-interval.high, high=-interval.low)


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _change(change: Interval) -> str:
    return f"{wording.signed(change.value)}, 95% interval {wording.bounds(change)}"


def _cloud(curve: pd.DataFrame, board: Board | None) -> Finding:
    asked = curve[curve["requests"] > 0].sort_values("requests_per_interaction", kind="stable")
    if asked.empty:
        return Finding("0", "requests", "Nobody asked the cloud, so it was idle.")
    dearest = asked.iloc[-1]
    text = f"Under {_named(dearest)} the cloud was busy {_busy(dearest)} of the time"
    text += f" and one answer in twenty took longer than {wording.milliseconds(dearest['latency_p95_ms'])}"
    if board is not None and board.cost is not None:
        rows = asked[asked["policy"] == board.best.policy]
        near = rows.iloc[int((rows["requests_per_interaction"] - board.cost).abs().argmin())]
        text += f" (under {_named(near)}: {_busy(near)} and {wording.milliseconds(near['latency_p95_ms'])})"
    worst = asked.iloc[int((1 - asked["answered_share"]).fillna(0).argmax())]
    failed = {words: worst[f"{status}_share"] for status, words in WORDS.items() if status in STATUSES}
    if (total := sum(failed.values())) >= NOTABLE:
        kinds = [f"{wording.share(value)} {words}" for words, value in failed.items() if value > 0.0005]
        what = wording.listing(kinds) if len(kinds) > 1 else max(failed, key=lambda words: failed[words])
        text += f"; at worst, under {_named(worst)}, {wording.share(total)} of attempts came to nothing ({what})"
    unsettled = asked[~asked["settled"].astype(bool)]
    if unsettled.empty:
        text += "; its queue settled at every point."
        return Finding(wording.milliseconds(dearest["latency_p95_ms"]), f"p95 latency under {_named(dearest)}", text)
    names = wording.listing([_named(row) for _, row in unsettled.iterrows()])
    text += f"; at {len(unsettled)} of {len(asked)} points ({names}) its queue never settled,"
    text += " and latency there only says how long the run was."
    return Finding(f"{len(unsettled)} of {len(asked)}", "points at which the cloud's queue never settled", text)


def _named(row: pd.Series) -> str:
    return wording.point(str(row["policy"]), float(row["parameter"]))


def _busy(row: pd.Series) -> str:
    return wording.share(row["utilisation"])
