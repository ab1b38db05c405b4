"""How a model is trained on the histories."""

from __future__ import annotations

from scenarios.schema.base import Block, Count, Positive


class Training(Block):
    """Defaults are those that gave the best validation NDCG@10 on MovieLens-100K within a minute on two cores.

    Early stopping watches NDCG@10 on the validation part; the replay part is never looked at.
    """

    epochs: Count = 20
    """At most this many passes over the histories."""
    patience: Count = 2
    """Stop after this many passes without a better validation NDCG@10."""
    learning_rate: Positive = 0.003
    batch_size: Count = 16
    """Windows in a batch."""
    seed: int = 0
    """Separate from the scenario's seed, so that a replication of the simulation keeps its models."""
