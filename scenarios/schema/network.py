"""The mobile network between the devices and the cloud."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from scenarios.schema.access import Access, AccessClass
from scenarios.schema.base import Block, Count, NonNegative, Positive


class ScheduledOutage(Block):
    """A region without a network from one moment to another."""

    kind: Literal["scheduled"] = "scheduled"
    region: Annotated[int, Field(ge=0)] | None = None
    """Counted from 0; all of them where null."""
    from_s: NonNegative
    """In simulated time."""
    until_s: NonNegative
    """In simulated time."""

    @model_validator(mode="after")
    def _in_order(self) -> ScheduledOutage:
        if self.from_s >= self.until_s:
            raise ValueError("from_s must lie before until_s")
        return self


class DrawnOutages(Block):
    """Every region loses its network now and then, by itself; times between and lengths are exponential."""

    kind: Literal["drawn"] = "drawn"
    between_s: Positive = 86400.0
    """Mean time from the end of one to the begin of the next. Assumed."""
    length_s: Positive = 600.0
    """Mean. Assumed."""


Outage = Annotated[ScheduledOutage | DrawnOutages, Field(discriminator="kind")]


class Network(Access):
    """The way to the cloud. Its own keys are those of the devices that no class of `mix` takes."""

    mix: tuple[AccessClass, ...] = ()
    """Access classes and their shares of the fleet, at most 1 together; the class of a device is drawn."""
    regions: Count = 1
    """Devices are spread evenly over this many regions; the region of a device is drawn."""
    outages: tuple[Outage, ...] = ()
    """What a region's devices send or are sent during one is lost, unless a retransmission comes after it."""
    request_header_bytes: Annotated[int, Field(ge=0)] = 400
    """HTTP/2 and TLS framing, cookies and token of a request. Assumed."""
    answer_header_bytes: Annotated[int, Field(ge=0)] = 200
    """The same of an answer. Assumed."""

    @model_validator(mode="after")
    def _adds_up(self) -> Network:
        total = sum(each.share for each in self.mix)
        if total > 1 + 1e-9:
            raise ValueError(f"the shares of mix add up to {total:.10g}, expected at most 1")
        for outage in self.outages:
            if isinstance(outage, ScheduledOutage) and outage.region is not None and outage.region >= self.regions:
                raise ValueError(f"an outage is set in region {outage.region}, but regions are 0 .. {self.regions - 1}")
        return self
