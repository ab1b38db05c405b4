"""What the cloud says of itself at the end of a run; the ledger holds it against the request log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scenarios.schema.cloud import Cloud
from simulator.clock import SECOND
from simulator.outcomes import IntArray

DETOUR = ("number", "replica", "started", "ended", "batch_size")


@dataclass(frozen=True)
class Accounts:
    """busy: [replicas] ticks of work. shifts: column -> [intervals], see `Replicas.shifts`. detours: column -> [stays]
    of requests at replicas that crashed or went (`started` is `NEVER` where it had only waited there). usd: the bill.
    """

    busy: Sequence[int]
    shifts: dict[str, IntArray]
    detours: dict[str, IntArray]
    usd: float

    @property
    def provisioned(self) -> int:
        """Ticks for which there were replicas, all together."""
        return int((self.shifts["until"] - self.shifts["since"]).sum())


def draw_up(
    spec: Cloud, busy: Sequence[int], shifts: dict[str, IntArray], detours: Sequence[tuple[int, ...]]
) -> Accounts:
    """The accounts, with the bill by the price."""
    rows = np.array(detours, np.int64).reshape(-1, len(DETOUR))
    columns = {name: rows[:, i].copy() for i, name in enumerate(DETOUR)}
    accounts = Accounts(tuple(busy), shifts, columns, 0.0)
    paid = sum(busy) if spec.billed == "busy" else accounts.provisioned
    return Accounts(accounts.busy, shifts, columns, paid / SECOND / 3600 * spec.usd_per_gpu_hour)
