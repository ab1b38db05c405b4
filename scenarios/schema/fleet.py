"""The devices: how many, how long they live, what they hold, how they ask."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scenarios.schema.base import Block, Count, Positive, Share


class NoCatalogue(Block):
    """The device holds the vectors of no item but those its list brings; alone, it shows the most popular items."""

    kind: Literal["none"] = "none"


class PopularCatalogue(Block):
    """The device holds the vectors of the items most popular in the history part."""

    kind: Literal["popular"] = "popular"
    items: Count


class WholeCatalogue(Block):
    """The device holds the vectors of every item."""

    kind: Literal["all"] = "all"


Catalogue = Annotated[NoCatalogue | PopularCatalogue | WholeCatalogue, Field(discriminator="kind")]


class Asynchronous(Block):
    """A device shows what it holds and refreshes when the answer comes."""

    kind: Literal["asynchronous"] = "asynchronous"


class Blocking(Block):
    """A device waits for the answer before it shows, at most until the deadline; its user waits with it."""

    kind: Literal["blocking"] = "blocking"
    deadline_ms: Positive = 1000.0


Waiting = Annotated[Asynchronous | Blocking, Field(discriminator="kind")]


class Fleet(Block):
    """The population of devices."""

    devices: Count | None = None
    """One for each user where absent. Beyond that number devices are clones: same stream, own clock and network."""
    interactions: Count | None = None
    """Replay at most this many interactions on a device; the whole replay part where absent."""
    catalogue: Catalogue = NoCatalogue()
    """The part of the catalogue whose vectors the device itself holds."""
    waiting: Waiting = Asynchronous()
    timeout_s: Positive = 10.0
    """A device gives a request up after this long; an answer that comes later is not used."""


class Fusion(Block):
    """How a device orders its list: alpha * LLM + (1 - alpha) * SRM over the items that are left in it."""

    over: Literal["scores", "ranks"] = "scores"
    """`scores`: both standardised over the list (mean 0, deviation 1). `ranks`: minus the place in either order, as a
    share of the list's length (LSC4Rec's released code uses this for the LLM's side)."""
    alpha: Share = 0.5
    """Weight of the LLM: 1 shows the list as it came, 0 shows the SRM's order of it."""
