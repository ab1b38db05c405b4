"""One cell of a sweep: it is run, boiled down, and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.curve import Digest, digest
from analysis.summary import REQUEST_COLUMNS
from scenarios.schema.cloud import Cloud
from simulator import cells
from simulator.policies.base import Point
from simulator.preparation import Experiment
from simulator.progress import Tell
from simulator.records import detour_table, shift_table
from simulator.run import Result, run, run_live


def finish(experiment: Experiment, number: int, live: bool, folder: Path, tell: Tell | None) -> None:
    """Run one cell and write it."""
    cell = experiment.cells()[number]
    world, policy = experiment.world, cell.point.policy
    if live:
        result = run_live(world, policy, cell.seed, experiment.recommenders.live(), tell)
    else:
        result = run(world, policy, cell.seed, experiment.rehearse(), tell)
    told = facts(cell.point, cell.replication, cell.seed, result, world.cloud)
    told["warm_up_s"] = experiment.scenario.sweep.warm_up_s
    told["policy_bytes"] = sum(experiment.recommenders.bytes_of(name) for name in policy.signals)
    leave(result, told, folder / cell.folder)
    experiment.recommenders.outcomes.flush()


def leave(result: Result, told: Mapping[str, Any], folder: Path) -> None:
    """Boil a run down and write it. told: what `cell.json` says of it, but for its summary. Raises `WriteError`."""
    boiled = digest(result.asked.of(REQUEST_COLUMNS), result.devices, told)
    tables: dict[str, Iterable[pd.DataFrame]] = {
        "requests": result.asked,
        "devices": [result.devices],
        "series": [result.series],
        "ages": [result.ages],
        "shifts": [shift_table(result.shifts, result.slow)],
        "detours": [detour_table(result.detours)],
        "users": [boiled.users],
    }
    cells.write(folder, tables, {**told, "summary": boiled.summary})


def facts(point: Point, replication: int, seed: int, result: Result, cloud: Cloud) -> dict[str, Any]:
    """What `cell.json` says of a run, but for its summary."""
    return {
        "policy": point.name,
        "parameter": point.parameter,
        "replication": replication,
        "seed": seed,
        "duration_s": result.duration_s,
        "replicas": result.provisioned_s / result.duration_s if result.duration_s else cloud.replicas,
        "busy_s": result.busy_s,
        "provisioned_s": result.provisioned_s,
        "usd": result.usd,
        "ledger": asdict(result.ledger),
    }


def read(folder: Path) -> Digest:
    """What a finished cell boiled down to."""
    facts = cells.read_facts(folder)
    assert facts is not None
    return Digest(facts["summary"], cells.read_table(folder, "users"))
