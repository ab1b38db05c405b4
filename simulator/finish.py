"""One cell of a sweep: it is run, boiled down, and written."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from analysis.curve import Digest, digest
from simulator import cells
from simulator.preparation import Experiment
from simulator.progress import Tell
from simulator.run import run, run_live


def finish(experiment: Experiment, number: int, live: bool, folder: Path, tell: Tell | None) -> None:
    """Run one cell and write it."""
    cell = experiment.cells()[number]
    world, policy = experiment.world, cell.point.policy
    if live:
        result = run_live(world, policy, cell.seed, experiment.recommenders.live(), tell)
    else:
        result = run(world, policy, cell.seed, experiment.rehearse(), tell)
    facts = {
        "policy": cell.point.name,
        "parameter": cell.point.parameter,
        "replication": cell.replication,
        "seed": cell.seed,
        "duration_s": result.duration_s,
        "replicas": result.provisioned_s / result.duration_s
        if result.duration_s
        else experiment.scenario.cloud.replicas,
        "busy_s": result.busy_s,
        "provisioned_s": result.provisioned_s,
        "usd": result.usd,
        "ledger": asdict(result.ledger),
    }
    boiled = digest(result.requests, result.devices, facts)
    tables = {"requests": result.requests, "devices": result.devices, "users": boiled.users}
    cells.write(folder / cell.folder, tables, {**facts, "summary": boiled.summary})
    experiment.recommenders.outcomes.flush()


def read(folder: Path) -> Digest:
    """What a finished cell boiled down to."""
    facts = cells.read_facts(folder)
    assert facts is not None
    return Digest(facts["summary"], cells.read_table(folder, "users"))
