"""How many places of the list came empty: a search that nothing holds to real items names some that there are not.

LSC4Rec's released code fills such places with item 0 and counts them for its request rule (`models/lsc4rec_code.py`).
Lists of every item scored, or of a search held to real items, have none but where the catalogue is at its end.
"""

from __future__ import annotations

from torch import Tensor

from models.held import HeldSince


def pads(held: HeldSince) -> Tensor:
    """[N] places, the same at every age of the list."""
    return (~held.left & (held.taken < 0)).sum(1).to(held.llm.dtype)
