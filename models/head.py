"""The head that a device learns by itself: which models can have one, and what it takes to hold. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.errors import UserError
from scenarios.schema.adaptation import Adaptation, AnyAdaptation, NoAdaptation
from scenarios.schema.recommenders import POINTWISE, Srm

FLOAT32 = 4


@dataclass(frozen=True)
class Burden:
    """What a device holds beside its model to go on training it. parameters: that it learns. bytes: of everything."""

    parameters: int
    bytes: int


def burden(adaptation: Adaptation, width: int) -> Burden:
    """Head and gradient, directions, and of each item of the window its id, its vector and the state before it."""
    given = width * adaptation.rank if adaptation.kind == "low_rank" else 0
    learned = width + (width * width if adaptation.kind == "last_layer" else given)
    return Burden(learned, FLOAT32 * (2 * learned + given + adaptation.window * (2 * width + 1)))


def refuse(adaptation: AnyAdaptation, srm: Srm) -> None:
    """Refuse what a device's model cannot learn. Raises `UserError`."""
    if isinstance(adaptation, NoAdaptation):
        return
    if srm.kind in POINTWISE:
        raise UserError(
            f"fleet.adaptation: {adaptation.kind} is learned between a model's state and the items' vectors, but "
            f"recommenders.srm.kind {srm.kind} does not join the two by a dot product; expected none or another model"
        )
    if adaptation.kind == "low_rank" and adaptation.rank > srm.width:
        raise UserError(
            f"fleet.adaptation.rank: {adaptation.rank} is more than the width of recommenders.srm, expected at most "
            f"{srm.width}"
        )
