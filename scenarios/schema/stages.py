"""What is done to the device's model after it was trained by itself, stage by stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from scenarios.schema.base import Block, Count, NonNegative, Positive, Share
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
    loss: Literal["binary", "softmax"] = "binary"
    """`binary`, as the released code has it, judges each candidate by itself: in front of fresh lists it brings 0.0024
    NDCG@10 (0.0018 to 0.0031) on MovieLens-100K, where `softmax` brings nothing (docs/models.md)."""
    catalogue_weight: Share = 0.5
    """Weight of the loss over the whole catalogue beside that over the list, which is what stage 1 learned by and the
    paper's formula keeps (D_H and D_H_aug together); the released code has 0."""
    training: Training = Training(epochs=4, patience=1, learning_rate=0.0003)
    """The best of seven settings tried, in lists on the validation part of MovieLens-100K."""


class Retraining(Block):
    """The device's model goes on learning from what is newest: the validation part of all streams (LSC4Rec, stage 3).

    It is trained up to the last `held_out` of that part, which says when to stop.
    """

    kind: Literal["retraining"] = "retraining"
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.2
    training: Training = Training(epochs=4, patience=1, learning_rate=0.001)


class Distillation(Block):
    """The device's model is made anew and learns from the cloud's lists and item vectors (DLLM2Rec)."""

    kind: Literal["distillation"] = "distillation"
    loss: Literal["softmax", "binary", "released"] = "softmax"
    """Over the whole catalogue, for what was taken and for what is listed; the paper judges each item by itself beside
    one that was not taken, and so does the released code, with confidence and a negative term of its own."""
    ranking_weight: NonNegative = 0.7
    """Of the loss over the lists; the paper's lambda_d."""
    candidates: Count = 10
    """Of the cloud's list, which are learned from."""
    position_weight: NonNegative = 0.3
    position_scale: Positive = 1.0
    """Places over which the weight of a place falls to 1/e."""
    confidence_weight: NonNegative = 0.5
    confidence: Literal["truth", "candidate"] = "truth"
    """How near the cloud's model was to the item taken, as in the paper, or to each candidate, as in its code."""
    consistency_weight: NonNegative = 0.1
    """Of what the student would list itself, as it is at that step."""
    embedding_weight: NonNegative = 0.3
    """Of the cloud's item vectors, through a learned map, beside the student's own; 0.2 or 0.3 in the released code. A
    model that does not end in a dot product with an item's vector (din) learns from the lists alone: 0."""
    vectors: Literal["llm", "titles", "tokens"] = "llm"
    """Those that the cloud's model reads items by; all-MiniLM-L6-v2's of their titles; or, of a pretrained one, the
    means of what it read the titles' tokens by before it was tuned."""
    training: Training = Training()

    @model_validator(mode="after")
    def _something_weighs(self) -> Distillation:
        weights = self.position_weight + self.confidence_weight + self.consistency_weight
        if self.ranking_weight and not weights:
            raise ValueError(
                "position_weight, confidence_weight and consistency_weight are all 0; expected one above 0, or "
                "ranking_weight: 0"
            )
        return self


class MergeNet(Block):
    """While the device's model learns by itself, one of its matrices is rewritten from one of the cloud's model."""

    kind: Literal["mergenet"] = "mergenet"
    source: Literal["llm", "noise", "none"] = "llm"
    """What is read: the cloud's model; or, as controls, noise in its place, or nothing, and nothing is rewritten."""
    matrix: Literal["feed_forward", "items"] = "feed_forward"
    """Of the cloud's model: what leads out of its last feed-forward net, or its item vectors."""
    rank: Count = 8
    """To which that matrix is brought down."""
    teaches: Literal["anew", "all", "matrix"] = "anew"
    """A model made anew, as in the paper; all of the model as it stands; or the rewritten matrix alone, which is then
    all that a device has to be sent."""
    every: Annotated[int, Field(ge=2)] = 2
    """Steps of training from one rewriting to the next; the paper tries up to 5."""
    write: Literal["rescaled", "released"] = "rescaled"
    """On the scale of what is rewritten, or, as in the released code, with a deviation of about 1 in each row."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Of what the adapter makes in the matrix that is written; the rest stays."""
    adapter_layers: Count = 2
    adapter_heads: Count = 8
    adapter_width: Count = 64
    """Of all heads of an attention together."""
    adapter_learning_rate: Positive = 0.001
    training: Training = Training()

    @model_validator(mode="after")
    def _heads_divide_width(self) -> MergeNet:
        if self.adapter_width % self.adapter_heads:
            raise ValueError(
                f"adapter_width ({self.adapter_width}) must be a multiple of adapter_heads ({self.adapter_heads})"
            )
        return self


Stage = Annotated[Cooperative | Retraining | Distillation | MergeNet, Field(discriminator="kind")]
"""Each names a file of `models/stages/`."""
