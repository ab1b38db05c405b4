"""What the service is to hold: runs are judged by it, plots show it, stress and plan search for where it holds."""

from __future__ import annotations

from scenarios.schema.base import Block, NonNegative, Positive, Share


class Objective(Block):
    """Where a key is null nothing is asked of it."""

    p95_latency_s: Positive | None = None
    """95th percentile of the time from a request's intention to its answer, over answered requests: at most."""
    failed_share: Share | None = None
    """Requests (all attempts) that are rejected, timed out or lost: at most."""
    ndcg_at_10: Share | None = None
    """Accuracy over all interactions: at least."""
    usd_per_1000_interactions: NonNegative | None = None
    """The cloud's bill: at most."""
