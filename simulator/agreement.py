"""Do the sleeping and the live engine agree? Same world, same seed: the same request log and the same ranks.

In float64 they must be equal in every request and every rank. In float32 a batch and a single call may round apart, so
there the outcomes of the path that the live engine took are compared one by one, and may differ only where the true
item's score lies within `TIE` of another one in the list.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.foresight import Demand
from simulator.outcomes import LiveDevice, LiveModels, Outcomes
from simulator.policies.base import Policy
from simulator.rehearse import rehearse
from simulator.run import run, run_live
from simulator.world import World

TIE = 1e-5
"""Scores nearer than this may change places between float32 computations."""


@dataclass(frozen=True)
class Agreement:
    """What a comparison found.

    differing: what differs between the engines in float64, in words; empty where nothing does. ties: interactions where
    float32 ranks differ and a near tie explains it. unexplained: where none does.
    """

    interactions: int
    requests: int
    differing: tuple[str, ...]
    ties: int
    unexplained: int

    @property
    def holds(self) -> bool:
        """Whether the engines agree."""
        return not self.differing and not self.unexplained

    def __str__(self) -> str:
        numbers = f"{self.requests:,} requests, {self.interactions:,} interactions"
        verdict = f"float64: {' and '.join(self.differing) or 'nothing'} differs"
        return f"{numbers}; {verdict}; float32: {self.ties} near ties, {self.unexplained} unexplained"


class _Margins:
    """Live models that note at every ranking where the device stood and how near the next score was."""

    def __init__(self, models: LiveModels) -> None:
        self._models = models
        self.noted: list[tuple[int, int, int, int, float]] = []
        """(user, cut, step, rank, margin)"""

    def device(self, user: int) -> LiveDevice:
        return _Noting(self._models.device(user), user, self.noted)


class _Noting:
    def __init__(self, device: LiveDevice, user: int, noted: list[tuple[int, int, int, int, float]]) -> None:
        self._device, self._user, self._noted = device, user, noted
        self._cut, self._step = -1, -1

    def look(self, step: int) -> None:
        self._step = step
        self._device.look(step)

    def hold(self, cut: int) -> None:
        self._cut = cut
        self._device.hold(cut)

    def rank(self) -> int:
        rank = self._device.rank()
        self._noted.append((self._user, self._cut, self._step, rank, self._device.margin()))
        return rank

    def signals(self) -> dict[str, float]:
        return self._device.signals()

    def margin(self) -> float:
        return self._device.margin()


def compare(world: World, policy: Policy, seed: int, exact: Outcomes, live: LiveModels, rounded: Outcomes) -> Agreement:
    """Run one policy both ways.

    exact, live: outcomes and models in float64. rounded: outcomes in float32.
    """
    demand: Demand = rehearse(world, [policy], seed, exact)
    fast = run(world, policy, seed, demand)
    noting = _Margins(live)
    slow = run_live(world, policy, seed, noting)
    differing = [
        name
        for name, one, other in (
            ("request log", fast.requests, slow.requests),
            ("device table", fast.devices, slow.devices),
        )
        if not one.equals(other)
    ]
    if fast.ledger != slow.ledger:
        differing.append("ledger")
    users, cuts, steps, ranks = (np.array(part, np.int64) for part in list(zip(*noting.noted, strict=True))[:4])
    margins = np.array([margin for *_, margin in noting.noted])
    parted = rounded.ranks(users, cuts, steps, steps + 1) != ranks
    explained = parted & (margins <= TIE)
    return Agreement(
        interactions=len(ranks),
        requests=len(slow.requests),
        differing=tuple(differing),
        ties=int(explained.sum()),
        unexplained=int((parted & ~explained).sum()),
    )
