"""What generates parameters in the cloud for the device's model, beside candidate lists or instead of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scenarios.schema.base import Block, Count, NonNegative
from scenarios.schema.training import Training

Wire = Literal["fp32", "fp16", "int8"]


class Head(Block):
    """A head for the device's model, generated from the user's history.

    It is trained together with the device's model, which has the kind and size that `recommenders.srm` says.
    """

    layers: Count = 2
    """Generated ones, each a square matrix and a bias."""
    wire: Wire = "fp32"
    """In which precision parameters are sent; they are rounded to it."""
    lag: Annotated[int, Field(ge=0)] = 19
    """Training makes a head every `lag + 1` interactions and uses it till the next, as devices do that ask so often.
    The papers train with new heads only (0); on MovieLens-100K DUET's validation NDCG@10 with new heads is then 0.085
    and falls to 0.072 while they age by 20 clicks, with 4 it is 0.090 and 0.086, with 19 it is 0.091 and stays."""
    heads_trainable: bool = True
    """Whether the maps from what was read to the parameters learn; in the released code they stay as drawn."""
    as_released: bool = False
    """Reproduce the released code, beside `lag: 0`: maps that are drawn wide and do not learn, and no way around the
    head; for SOLID also corrections that are clamped, codes that stay, and no gradient through the choice of one."""
    training: Training = Training()


class Duet(Head):
    """DUET: from the items as they are (Lv et al., WWW 2023, arXiv 2209.05227)."""

    kind: Literal["duet"] = "duet"


class Solid(Head):
    """SOLID: from what items mean, corrected by which they are (Lv et al., MM 2024, arXiv 2408.00123)."""

    kind: Literal["solid"] = "solid"
    semantics: Literal["behaviour", "text"] = "behaviour"
    """What items are clustered by: who is taken near whom in the histories, or titles (all-MiniLM-L6-v2)."""
    clusters: Annotated[int, Field(ge=2)] = 90
    """And codes in the codebook; the authors' number for MovieLens-1M."""
    bound: NonNegative = 0.01
    """Most by which items move a parameter away from what their meaning says; 0 leaves the meaning alone."""
    codebook_weight: NonNegative = 0.1
    """Of the codebook's loss beside that of the recommendations."""


Generator = Annotated[Duet | Solid, Field(discriminator="kind")]
