"""The cells of a sweep: run what is not finished yet, here, in processes or on a cluster, and read what they became."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from joblib import cpu_count

from analysis.curve import Digest
from scenarios.cache import atomic
from scenarios.errors import UserError
from simulator import cells
from simulator.finish import finish, read
from simulator.preparation import Experiment, Load
from simulator.progress import Tell, bar
from simulator.spread import Failure, Here, Processes, Spread

SMALL = 2_000_000
"""Interactions below which a sweep is over before processes of its own have paid for their start."""
TOGETHER = 512
"""Users whose outcomes a worker makes at a time: batches are large, and pieces enough for some cores."""
SHOWN = 5
"""Failed cells that are told of by name."""


class CellsFailedError(UserError):
    """Some cells of a sweep came to nothing; the others are finished and kept."""


@dataclass(frozen=True)
class Luggage:
    """What all cells share, and the weights that a node of a cluster may not have."""

    experiment: Experiment
    weights: Mapping[str, npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class Sent:
    """A finished cell: name of its folder, and what the files in it hold where they are not in that folder already."""

    folder: str
    files: dict[str, bytes]


def finish_all(experiment: Experiment, folder: Path, spread: Spread | None, live: bool, quiet: bool) -> list[Digest]:
    """Run what is not finished yet, and read what every cell boiled down to.

    spread: where to work; as many processes as pay where absent. Raises `CellsFailedError` and `WriteError`.
    """
    wanted = experiment.cells()
    missing = [i for i, cell in enumerate(wanted) if cells.read_facts(folder / cell.folder) is None]
    # Replications look at much the same outcomes: apart from each other, the later ones find them made.
    missing.sort(key=lambda i: wanted[i].replication)
    interactions = int(experiment.world.lengths.sum())
    if spread is None:
        jobs = min(cpu_count(), len(missing))
        spread = Processes(jobs) if jobs > 1 and interactions * len(missing) > SMALL else Here()
    if missing and not live:
        looking = sum(bool(point.policy.signals) for point in experiment.points)
        streams = int(experiment.world.stream_lengths[: experiment.world.devices].sum())
        with bar("looking ahead", streams * looking, quiet) as tell:
            _make_apart(experiment, spread)
            requests = experiment.rehearse(tell).requests
        # The longest first, so that no process is left with one when the others are done.
        missing.sort(key=lambda i: (wanted[i].replication, -requests[wanted[i].point.policy]))
    failures: dict[str, Failure] = {}
    with bar("simulating", interactions * len(missing), quiet) as tell:
        here = isinstance(spread, Here)
        work = partial(_cell, live=live, folder=None if spread.away else folder, tell=tell if here else None)
        shared = Luggage(experiment, experiment.recommenders.parcel() if spread.away else {})
        for i, back in spread.each(work, shared, missing):
            if isinstance(back, Failure):
                failures[wanted[i].folder] = back
            elif back.folder != wanted[i].folder:
                failures[wanted[i].folder] = Failure("where it ran there is another version of recfleet")
            elif back.files:
                cells.receive(folder / back.folder, back.files)
            if tell is not None and not here:
                tell(interactions)
    _report(failures, len(wanted), folder.parent / "failures.txt")
    return [read(folder / cell.folder) for cell in wanted]


def _make_apart(experiment: Experiment, spread: Spread) -> None:
    """Have outcomes made where the work is spread, if there are many to make: each worker rehearses some users.

    A piece that fails is left to the rehearsal of all, here, which finds the others' made. What signals learn from the
    data they learn once, on this machine.
    """
    if isinstance(spread, Here) or (spread.away and experiment.recommenders.learns):
        return
    parts = experiment.unmade(TOGETHER)
    if len(parts) < 2:
        return
    shared = Luggage(experiment, experiment.recommenders.parcel() if spread.away else {})
    for _, back in spread.each(partial(_made, away=spread.away), shared, parts):
        if not isinstance(back, Failure):
            experiment.take(back)


def _made(shared: Luggage, part: range, away: bool) -> Load | None:
    """Make the outcomes that these users' devices will look at."""
    shared.experiment.recommenders.unpack(shared.weights)
    return shared.experiment.make(part, away)


def _cell(shared: Luggage, number: int, live: bool, folder: Path | None, tell: Tell | None) -> Sent:
    """Finish a cell: in this folder, or where there is none as files to be sent home."""
    name = shared.experiment.cells()[number].folder
    if not live:
        shared.experiment.recommenders.outcomes.refresh()
    if folder is not None:
        finish(shared.experiment, number, live, folder, tell)
        return Sent(name, {})
    shared.experiment.recommenders.unpack(shared.weights)
    with tempfile.TemporaryDirectory() as scratch:
        finish(shared.experiment, number, live, Path(scratch), tell)
        return Sent(name, {path.name: path.read_bytes() for path in Path(scratch, name).iterdir()})


def _report(failures: dict[str, Failure], total: int, file: Path) -> None:
    """Leave the traces in a file and say what failed, if anything did."""
    file.unlink(missing_ok=True)
    if not failures:
        return
    with atomic(file) as scratch:
        scratch.write_text("\n".join(f"{cell}: {failure.why}\n{failure.trace}" for cell, failure in failures.items()))
    lines = [f"  {cell}: {failure.why}" for cell, failure in list(failures.items())[:SHOWN]]
    more = [f"  and {len(failures) - SHOWN} more"] if len(failures) > SHOWN else []
    raise CellsFailedError(
        "\n".join(
            [
                f"{len(failures)} of {total} cells failed; the others are kept, the same command tries these again",
                *lines,
                *more,
                f"  traces are in {file}",
            ]
        )
    )
