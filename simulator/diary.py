"""What a device keeps in mind for a policy that recalls: its memory, the price heard last, and when things happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from simulator.clock import NEVER, SECOND
from simulator.outcomes import FloatArray, IntArray, SignalArray
from simulator.policies.base import Event, Policy, Sight


class Diary:
    """One device's. ticks: gives the times of its steps start .. stop - 1, as they are known now."""

    __slots__ = ("asked", "held", "memory", "price", "priced", "ticks")

    def __init__(self, policy: Policy, ticks: Callable[[int, int], IntArray]) -> None:
        self.ticks = ticks
        self.memory = policy.memory
        self.price = 0.0
        self.asked = self.priced = self.held = NEVER
        """When the latest request was sent, the price was heard, the list held was asked for; in ticks."""

    def sight(
        self,
        steps: IntArray,
        asked: int,
        signals: Mapping[str, SignalArray] | None,
        coins: Callable[[], FloatArray],
    ) -> Sight:
        """What the device sees at these steps, with all that it keeps in mind."""

        def since(event: Event) -> FloatArray:
            then: int = getattr(self, event)
            if then == NEVER:
                return np.full(len(steps), np.inf)
            return np.asarray((self.ticks(int(steps[0]), int(steps[-1]) + 1) - then) / SECOND)

        return Sight(steps, asked, signals, coins, self.memory, self.price, since)
