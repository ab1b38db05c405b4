"""Who is let in at the door: the token bucket."""

from __future__ import annotations

from scenarios.schema.queueing import TokenBucket as TokenBucketSpec
from simulator.clock import SECOND


class TokenBucket:
    """A bucket that fills steadily, in whole ticks.

    Instead of a fraction of a token it keeps the moment at which the bucket will be full again (the generic cell rate
    algorithm, ITU-T I.371), so that nothing is ever rounded.
    """

    def __init__(self, spec: TokenBucketSpec) -> None:
        self._interval = max(round(SECOND / spec.rate_per_s), 1)
        self._allowance = (spec.burst - 1) * self._interval
        self._full_at = 0

    def admits(self, now: int) -> bool:
        """Take a token if there is one."""
        if self._full_at - now > self._allowance:
            return False
        self._full_at = max(self._full_at, now) + self._interval
        return True
