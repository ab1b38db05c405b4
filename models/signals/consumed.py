"""Share of the list that the user has consumed since it came: these items are no longer shown."""

from __future__ import annotations

from torch import Tensor

from models.held import HeldSince


def consumed(held: HeldSince) -> Tensor:
    """[N] items taken, over items that came; 0 for an empty list."""
    taken = (held.taken >= 0).sum(1)
    return taken.to(held.llm.dtype) / (taken + held.count[:, 0]).clamp(min=1)
