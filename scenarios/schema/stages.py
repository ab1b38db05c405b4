"""What is done to the device's model after it was trained by itself, stage by stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scenarios.schema.base import Block, Count, Share
from scenarios.schema.training import Training


class Cooperative(Block):
    """The device's model learns to pick the next item out of the lists that the cloud's model makes (LSC4Rec, stage 2).

    The cloud's model is frozen; its lists for all positions of the histories are made once and kept.
    """

    kind: Literal["cooperative"] = "cooperative"
    candidates: Count = 50
    """Of the cloud's list, which are hard negatives. The released code takes 20 of 20 beams and shows 50 later."""
    recombined: Annotated[int, Field(ge=0)] = 0
    """Further negatives, whose numbers share their digits with those of the list; the released code adds 79."""
    loss: Literal["softmax", "binary"] = "softmax"
    """`binary` is the released code's: each candidate is judged by itself."""
    catalogue_weight: Share = 0.5
    """Weight of the loss over the whole catalogue beside that over the list, which is what stage 1 learned by and the
    paper's formula keeps (D_H and D_H_aug together); the released code has 0."""
    training: Training = Training(epochs=4, patience=1, learning_rate=0.001)


class Retraining(Block):
    """The device's model goes on learning from what is newest: the validation part of all streams (LSC4Rec, stage 3).

    It is trained up to the last `held_out` of that part, which says when to stop.
    """

    kind: Literal["retraining"] = "retraining"
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.2
    training: Training = Training(epochs=4, patience=1, learning_rate=0.001)


Stage = Annotated[Cooperative | Retraining, Field(discriminator="kind")]
"""Each names a file of `models/stages/`."""
