"""How many replicas are wanted: the rule of Kubernetes' horizontal pod autoscaler, on requests present."""

from __future__ import annotations

import math
from collections import deque
from fractions import Fraction

from scenarios.schema.capacity import ConcurrencyScaling
from simulator.clock import ticks


class Autoscaler:
    """Looks at the load every `interval` ticks."""

    def __init__(self, spec: ConcurrencyScaling) -> None:
        self._spec = spec
        # Exact: 22 is within 0.1 of 20, which floats deny.
        self._target, self._tolerance = Fraction(str(spec.target)), Fraction(str(spec.tolerance))
        self._window = ticks(spec.down_window_s)
        self._recent: deque[tuple[int, int]] = deque()
        """(time, replicas wanted then), the numbers falling: one that a later one tops is of no use."""
        self.interval = max(ticks(spec.interval_s), 1)
        self.loading = ticks(spec.loading_s)

    def wanted(self, now: int, present: int, replicas: int) -> int:
        """Replicas to have from now on, where there are so many and so many requests are present."""
        spec = self._spec
        full = replicas * self._target
        number = replicas if abs(present - full) <= self._tolerance * full else math.ceil(present / self._target)
        number = min(max(number, spec.min_replicas), spec.max_replicas)
        recent = self._recent
        while recent and recent[-1][1] <= number:
            recent.pop()
        recent.append((now, number))
        while recent[0][0] < now - self._window:
            recent.popleft()
        return max(number, min(replicas, recent[0][1]))
