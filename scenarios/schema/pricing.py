"""What the cloud tells devices of its load: a price, with every reply."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scenarios.schema.base import Block, Positive


class NoPricing(Block):
    """Replies tell nothing of the load."""

    kind: Literal["none"] = "none"


class BacklogPricing(Block):
    """The price follows the requests present at a replica that is up, so that it knows of crashes too."""

    kind: Literal["backlog"] = "backlog"
    target: Positive = 8.0
    """Requests, waiting or in work, that each replica may have before requests cost anything: a batch of the default.
    Assumed."""
    settle_s: Positive = 30.0
    """In which a backlog of twice the target adds 1 to the price; as long as devices take to heed it. Assumed."""


class RatePricing(Block):
    """The price follows the rate at which requests come."""

    kind: Literal["rate"] = "rate"
    target_per_s: Positive
    """Requests a second, all devices together. A queue that has grown all the same drains by what the cloud can do
    beyond this."""
    settle_s: Positive = 10.0
    """In which twice the target adds 1 to the price; half as long as devices take to heed it. Assumed."""


Pricing = Annotated[NoPricing | BacklogPricing | RatePricing, Field(discriminator="kind")]
