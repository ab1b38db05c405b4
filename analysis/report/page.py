"""The page: one HTML file that needs nothing else, asks nobody for anything, and is the same bytes each time."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from analysis.report import answer, wording
from analysis.report.chart import still
from analysis.report.curves import few, looks, representatives, tradeoff
from analysis.report.device import device_bytes, front, parts, three_way
from analysis.report.folder import Results, flat
from analysis.report.leaderboard import Board, boards, preferred
from analysis.report.staleness import age_shares, by_age
from analysis.report.timeline import over_time
from analysis.summary import STATUSES

TEMPLATES = Path(__file__).parent.parent / "templates"


def page(results: Results) -> str:
    """The report of one folder of results."""
    found = boards(results.whole_points)
    board = preferred(found)
    cells = representatives(results, board)
    shown = few((cell.digest.point[0] for cell in cells), board)
    held = device_bytes(results)
    return render(
        "report.html",
        title=results.question,
        results=results,
        findings=answer.findings(results.curve, results.whole_points, found),
        boards=found,
        board=board,
        forests=[forest(each) for each in found],
        tradeoff=tradeoff(results),
        over_time=over_time(cells, shown, results.objective_ms),
        by_age=by_age(results, cells, shown),
        ages=age_shares(results, cells, shown),
        held=held,
        parts=parts(results),
        front=front(results.curve, held),
        bytes=three_way([("", held, found)]),
        ledger=ledger(results),
        looks=looks(results.curve["policy"]),
        versions=versions(results),
    )


def render(template: str, **context: Any) -> str:
    """Fill a template in; everything is escaped, and the browser is told to run and load nothing but what is in it."""
    style, script = _source("report.css"), _source("chart.js")
    policy = f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}"
    head = {
        "style": Markup(style),
        "script": Markup(script),
        "policy": f"{policy}; base-uri 'none'; form-action 'none'",
    }
    return _environment().get_template(template).render(**head, **context)


def forest(board: Board) -> dict[str, dict[str, float]]:
    """Policy to the places, in percent of a strip, of its difference from the baseline: low, value, high; and of 0."""
    found = {s.policy: s.difference for s in board.standings if s.difference is not None}
    ends = [0.0, *(end for each in found.values() for end in (each.low, each.high))]
    low, width = min(ends), (max(ends) - min(ends)) or 1.0

    def at(value: float) -> float:
        return round(4 + 92 * (value - low) / width, 2)

    strips = {name: {"low": at(d.low), "value": at(d.value), "high": at(d.high)} for name, d in found.items()}
    return strips | {board.baseline: {"low": at(0), "value": at(0), "high": at(0)}, "": {"zero": at(0)}}


def ledger(results: Results) -> list[dict[str, Any]]:
    """For each point, the attempts of its requests by what became of them, over all replications."""
    rows = []
    for (policy, parameter), digests in _by_point(results).items():
        counts = {status: sum(int(one[status]) for one in digests) for status in STATUSES}
        asked = {name: sum(int(one[name]) for one in digests) for name in ("requests", "attempts")}
        rows.append({"name": wording.point(policy, parameter), **asked, **counts})
    return rows


def _by_point(results: Results) -> dict[tuple[str, float | None], list[Mapping[str, Any]]]:
    found: dict[tuple[str, float | None], list[Mapping[str, Any]]] = {}
    for cell in results.cells:
        found.setdefault(cell.digest.point, []).append(cell.digest.summary)
    return found


def versions(results: Results) -> dict[str, str]:
    """What made these numbers: versions, data, models, seeds, and the digest of the scenario."""
    facts = {key: value for key, value in results.facts.items() if key not in ("points", "name", "question")}
    seeds = sorted({(int(cell.facts["replication"]), int(cell.facts["seed"])) for cell in results.cells})
    timings = {f"{phase} (s)": seconds for phase, seconds in results.timings.items()}
    return flat(
        {
            **facts,
            "scenario": {"sha256": hashlib.sha256(results.scenario_text.encode()).hexdigest()},
            "seeds": {f"replication {replication}": seed for replication, seed in seeds},
            "wall clock": timings,
        }
    )


@cache
def _environment() -> Environment:
    loader = FileSystemLoader(TEMPLATES)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    words = ("share", "accuracy", "signed", "bounds", "milliseconds", "number", "probability", "size")
    environment.filters |= {name: getattr(wording, name) for name in words}
    environment.globals |= {"still": still, "where": answer.where}
    return environment


@cache
def _source(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
