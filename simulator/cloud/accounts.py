"""What the cloud says of itself at the end of a run; the ledger holds it against the request log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scenarios.schema.cloud import Cloud
from simulator.clock import SECOND
from simulator.outcomes import IntArray

DETOUR = ("number", "replica", "started", "ended", "batch_size")


@dataclass(frozen=True)
class Accounts:
    """busy: [replicas] ticks of work. shifts: column -> [intervals], see `Replicas.shifts`. detours: column -> [stays]
    of requests at replicas that crashed or went (`started` is `NEVER` where it had only waited there). slow: replica,
    since and until of every brown-out of a replica that there was. usd: the bill.
    """

    busy: Sequence[int]
    shifts: dict[str, IntArray]
    detours: dict[str, IntArray]
    slow: dict[str, IntArray]
    usd: float

    @property
    def provisioned(self) -> int:
        """Ticks for which there were replicas, all together."""
        return int((self.shifts["until"] - self.shifts["since"]).sum())


def draw_up(
    spec: Cloud,
    busy: Sequence[int],
    shifts: dict[str, IntArray],
    detours: Sequence[tuple[int, ...]],
    slow: Sequence[tuple[int, int, int]],
) -> Accounts:
    """The accounts, with the bill by the price."""
    tables = _columns(detours, DETOUR), _columns(slow, ("replica", "since", "until"))
    accounts = Accounts(tuple(busy), shifts, *tables, usd=0.0)
    paid = sum(busy) if spec.billed == "busy" else accounts.provisioned
    return replace(accounts, usd=paid / SECOND / 3600 * spec.usd_per_gpu_hour)


def _columns(rows: Sequence[tuple[int, ...]], names: Sequence[str]) -> dict[str, IntArray]:
    table = np.array(rows, np.int64).reshape(-1, len(names))
    return {name: table[:, i].copy() for i, name in enumerate(names)}
