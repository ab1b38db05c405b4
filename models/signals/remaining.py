"""How many items of the list are left: what came, less what the user has consumed since."""

from __future__ import annotations

from torch import Tensor

from models.held import Held


def remaining(held: Held) -> Tensor:
    """[N] items."""
    return held.count[:, 0]
