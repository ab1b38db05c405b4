"""Refreshed weights for the devices' models: how often, how heavy, and over which network they come."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scenarios.schema.base import Block, Count, NonNegative, Positive
from scenarios.schema.stages import Retraining, Stage


class OwnNetwork(Block):
    """The device's own, with its weather. A download that does not arrive is made again."""

    kind: Literal["own"] = "own"
    again_s: Positive = 600.0
    """After so long. Assumed."""


class Unmetered(Block):
    """A faster one that devices come to from time to time, such as the Wi-Fi at home."""

    kind: Literal["unmetered"] = "unmetered"
    wait_s: NonNegative = 21600.0
    """Mean time until a device is there; exponential. Assumed: most phones are at home at night."""
    downlink_mbps: Positive = 50.0
    """Assumed."""


class NoPushes(Block):
    """Devices keep the weights that they have."""

    kind: Literal["none"] = "none"


class Pushes(Block):
    """The device's model is trained further in the cloud and sent to all devices, again and again.

    A refresh learns from the histories and from what every user of the fleet is sure to have lived through before it
    was made, under every seed of the sweep: no weights know of what is still to come. A device shows by new weights
    from the first interaction after they are there; a newer version replaces an older one that is late.
    """

    kind: Literal["scheduled"] = "scheduled"
    first_s: NonNegative = 0.0
    """When the first is sent."""
    every_s: Positive = 86400.0
    count: Count = 1
    spread_s: NonNegative = 3600.0
    """A refresh is sent to each device at a moment drawn evenly from so long a stretch. Assumed."""
    making_s: NonNegative = 0.0
    """What is newer than this when a refresh is sent is not yet learned from."""
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)] = (Retraining(),)
    """What is done to the model for each, one after the other."""
    over: Annotated[OwnNetwork | Unmetered, Field(discriminator="kind")] = OwnNetwork()


AnyPushes = Annotated[NoPushes | Pushes, Field(discriminator="kind")]
