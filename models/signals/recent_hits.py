"""How many of the user's latest clicks the list foresaw: of the last 10 since it came, those to its first 10 places."""

from __future__ import annotations

from torch import Tensor

from models.held import HeldSince

TOP = 10
CLICKS = 10


def recent_hits(held: HeldSince) -> Tensor:
    """[N] clicks, 0..10."""
    taken = held.taken[:, :TOP]
    return ((taken >= 0) & (taken >= held.age[:, None] - CLICKS)).sum(1).to(held.llm.dtype)
