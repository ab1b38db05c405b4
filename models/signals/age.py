"""Age of the list in clicks: how many interactions came since the step that it was made for."""

from __future__ import annotations

from torch import Tensor

from models.held import HeldSince


def age(held: HeldSince) -> Tensor:
    """[N] step - cut."""
    return held.age.to(held.llm.dtype)
