"""How many of the user's latest clicks went past the list: of the last 10 since it came, those not to its first 10."""

from __future__ import annotations

from torch import Tensor

from models.held import HeldSince

TOP = 10
CLICKS = 10


def recent_misses(held: HeldSince) -> Tensor:
    """[N] clicks, 0..10; a fresh list has missed none."""
    taken = held.taken[:, :TOP]
    hits = ((taken >= 0) & (taken >= held.age[:, None] - CLICKS)).sum(1)
    return (held.age.clamp(max=CLICKS) - hits).to(held.llm.dtype)
