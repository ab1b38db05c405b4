"""Whether a device goes on training its own model while it lives, and what of it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from scenarios.schema.base import Block, Count, NonNegative


class NoAdaptation(Block):
    """The device's model stays as it came."""

    kind: Literal["none"] = "none"


class Retraining(Block):
    """A device re-trains before its interactions 0, `every`, 2 `every`, ... of the replay.

    Each time it goes on from what it has learned so far, and takes gradient steps on the mean cross-entropy of its own
    last items, each given the model's state before it.
    """

    every: Count = 10
    """Interactions from one re-training to the next."""
    steps: Annotated[int, Field(ge=0)] = 5
    """Gradient steps each time."""
    window: Count = 50
    """The device's own last items that they are about."""
    learning_rate: NonNegative = 0.01
    """Small, as on the validation part of MovieLens-100K none gains anything and three times as much begins to lose."""
    decay: NonNegative = 0.0
    """Pulls what was learned back towards the model as it came: weight decay of the same gradient steps."""

    @model_validator(mode="after")
    def _does_not_overshoot(self) -> Self:
        if self.learning_rate * self.decay > 1:
            raise ValueError(
                f"learning_rate * decay is {self.learning_rate * self.decay:g}: a step would pull back more than was "
                f"learned; expected at most 1"
            )
        return self


class Bias(Retraining):
    """Learns a vector that is added to the state: how much each item's score is shifted, by its own vector."""

    kind: Literal["bias"] = "bias"
    learning_rate: NonNegative = 0.1
    """Chosen likewise; a matrix moves the state by more, as the state multiplies it."""


class LastLayer(Retraining):
    """Learns a matrix of the state's width as well, whose product with the state is added to it."""

    kind: Literal["last_layer"] = "last_layer"


class LowRank(Retraining):
    """The same with a matrix of low rank: it sees the state's part in the main directions of the items' vectors."""

    kind: Literal["low_rank"] = "low_rank"
    rank: Count = 8


Adaptation = Bias | LastLayer | LowRank
AnyAdaptation = Annotated[NoAdaptation | Adaptation, Field(discriminator="kind")]
