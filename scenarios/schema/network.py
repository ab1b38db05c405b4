"""The mobile network between a device and the cloud."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from scenarios.schema.base import Block, NonNegative, Positive


class Network(Block):
    """One access class for the whole fleet."""

    rtt_ms: NonNegative = 60.0
    """Median round trip. 4G: anchored to US operators' 50-64 ms over all technologies (Ookla, 2023-24)."""
    rtt_sigma: NonNegative = 0.6
    """Standard deviation of the round trip's logarithm. Assumed: no source anchors it, so sweep it."""
    uplink_mbps: Positive | None = 6.0
    """LTE median 6 up (Huang et al., MobiSys 2012); no limit where null."""
    downlink_mbps: Positive | None = 13.0
    """LTE median 13 down (Huang et al., MobiSys 2012); no limit where null."""
    loss: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Probability that a message, either way, never arrives."""
    request_header_bytes: Annotated[int, Field(ge=0)] = 400
    """HTTP/2 and TLS framing, cookies and token of a request. Assumed."""
    answer_header_bytes: Annotated[int, Field(ge=0)] = 200
    """The same of an answer. Assumed."""
