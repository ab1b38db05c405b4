"""Access classes: what a device's way to the cloud is like, and what its radio draws."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from scenarios.schema.base import Block, NonNegative, Positive, Share

LONGEST_TRIP_MS = 3e12
"""A century: the clock holds 292 years, and both ways of a message must fit."""
FARTHEST = 8.21
"""Standard deviations: no draw of 53 bits lies farther from the median of a normal distribution."""
Loss = Annotated[float, Field(ge=0, lt=1)]


class Lognormal(Block):
    """Round trips are lognormal, as `rtt_ms` and `rtt_sigma` say."""

    kind: Literal["lognormal"] = "lognormal"


class Quantiles(Block):
    """Round trips follow a measured distribution, given by its quantiles."""

    kind: Literal["quantiles"] = "quantiles"
    milliseconds: dict[Share, NonNegative]
    """Share of round trips -> the time that they do not exceed; straight lines between, from share 0 to share 1."""

    @model_validator(mode="after")
    def _rises_from_0_to_1(self) -> Quantiles:
        times = [self.milliseconds[share] for share in sorted(self.milliseconds)]
        if not {0.0, 1.0} <= self.milliseconds.keys():
            raise ValueError("milliseconds must give the quantiles 0 and 1")
        if times != sorted(times):
            raise ValueError("milliseconds must not fall as the share rises")
        return self


class Trace(Block):
    """Round trips are replayed from a recording; each device begins at a moment of it drawn for itself."""

    kind: Literal["trace"] = "trace"
    path: Path
    """CSV with the columns time_s (rising) and rtt_ms, relative to the scenario file. A row holds until the next, the
    last one as long as the one before it; then the recording begins anew."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """Of the file; filled in when a scenario is loaded, so that its results say which recording they come from."""


RoundTrip = Annotated[Lognormal | Quantiles | Trace, Field(discriminator="kind")]


class NoRetransmission(Block):
    """A lost message is gone."""

    kind: Literal["none"] = "none"


class Backoff(Block):
    """A lost message is sent again after a time-out that doubles each time; all transmissions count in bytes."""

    kind: Literal["backoff"] = "backoff"
    timeout_ms: Positive = 1000.0
    """The first time-out. TCP begins with 1 s and doubles it (RFC 6298, 2.1 and 5.5); a warm connection has less."""
    most: Annotated[int, Field(ge=1, le=15)] = 6
    """Retransmissions, after which the message is lost. Linux sends a SYN again six times (tcp_syn_retries)."""


Retransmission = Annotated[NoRetransmission | Backoff, Field(discriminator="kind")]


class NoStalls(Block):
    """No message is held up."""

    kind: Literal["none"] = "none"


class Stalls(Block):
    """Now and then a message is held up, as by a handover or a full buffer, for a time drawn evenly."""

    kind: Literal["uniform"] = "uniform"
    share: Share = 0.01
    """Of messages, each way by itself. Assumed."""
    from_s: NonNegative = 1.0
    """Shortest. Assumed."""
    to_s: NonNegative = 5.0
    """Longest. Assumed."""

    @model_validator(mode="after")
    def _in_order(self) -> Stalls:
        if self.from_s > self.to_s:
            raise ValueError("from_s must not be above to_s")
        return self


Stalling = Annotated[NoStalls | Stalls, Field(discriminator="kind")]


class AlwaysOn(Block):
    """The device always has its network."""

    kind: Literal["always"] = "always"


class OnOff(Block):
    """The device has and lacks its network by turns, each for an exponential time: what it sends or is sent while it
    lacks it is lost, unless a retransmission comes after that."""

    kind: Literal["on-off"] = "on-off"
    on_s: Positive = 600.0
    """Mean. Assumed."""
    off_s: Positive = 20.0
    """Mean. Assumed."""


Availability = Annotated[AlwaysOn | OnOff, Field(discriminator="kind")]


class NoRadio(Block):
    """The radio's energy is not counted."""

    kind: Literal["none"] = "none"


class Radio(Block):
    """A radio that is promoted when it wakes, and stays awake for a while (the tail) after each transfer."""

    kind: Literal["none", "lte", "wifi", "5g"]
    promotion_mw: NonNegative
    promotion_ms: NonNegative
    """Counted as energy only: measured round trips begin on a radio that is awake."""
    tail_mw: NonNegative
    tail_s: NonNegative
    base_mw: NonNegative
    """While a message is sent or received."""
    uplink_mw_per_mbps: NonNegative
    """On top of it."""
    downlink_mw_per_mbps: NonNegative
    """On top of it."""


class LteRadio(Radio):
    """LTE. All values as remembered from Huang et al., MobiSys 2012, tables 3 and 4: unverified."""

    kind: Literal["lte"] = "lte"
    promotion_mw: NonNegative = 1210.0
    promotion_ms: NonNegative = 260.0
    tail_mw: NonNegative = 1060.0
    tail_s: NonNegative = 11.6
    base_mw: NonNegative = 1288.0
    uplink_mw_per_mbps: NonNegative = 438.0
    downlink_mw_per_mbps: NonNegative = 52.0


class WifiRadio(Radio):
    """WiFi. All values as remembered from Huang et al., MobiSys 2012, tables 3 and 4: unverified."""

    kind: Literal["wifi"] = "wifi"
    promotion_mw: NonNegative = 124.0
    promotion_ms: NonNegative = 79.0
    tail_mw: NonNegative = 119.0
    tail_s: NonNegative = 0.24
    base_mw: NonNegative = 133.0
    uplink_mw_per_mbps: NonNegative = 283.0
    downlink_mw_per_mbps: NonNegative = 137.0


class FiveGRadio(Radio):
    """5G. Assumed: LTE's times at 2.5 times its powers, as 5G draws two to three times what 4G does (Xu et al.,
    SIGCOMM 2020); powers that grow with the rate as LTE's, for its rates are higher."""

    kind: Literal["5g"] = "5g"
    promotion_mw: NonNegative = 3025.0
    promotion_ms: NonNegative = 260.0
    tail_mw: NonNegative = 2650.0
    tail_s: NonNegative = 11.6
    base_mw: NonNegative = 3220.0
    uplink_mw_per_mbps: NonNegative = 438.0
    downlink_mw_per_mbps: NonNegative = 52.0


AnyRadio = Annotated[NoRadio | LteRadio | WifiRadio | FiveGRadio, Field(discriminator="kind")]


class Access(Block):
    """How messages travel."""

    rtt_ms: NonNegative = 60.0
    """Median round trip. 4G: anchored to US operators' 50-64 ms over all technologies (Ookla, 2023-24)."""
    rtt_sigma: NonNegative = 0.6
    """Standard deviation of the round trip's logarithm. Assumed: no source anchors it, so sweep it."""
    round_trip: RoundTrip = Lognormal()
    """Where its times come from."""
    uplink_mbps: Positive | None = 6.0
    """LTE median 6 up (Huang et al., MobiSys 2012); no limit where null."""
    downlink_mbps: Positive | None = 13.0
    """LTE median 13 down (Huang et al., MobiSys 2012); no limit where null."""
    loss: Loss = 0.0
    """Probability that a transmission, either way, does not arrive."""
    retransmission: Retransmission = NoRetransmission()
    """What becomes of a lost message."""
    stalls: Stalling = NoStalls()
    """Messages that are held up."""
    availability: Availability = AlwaysOn()
    """Whether the device has its network."""
    radio: AnyRadio = LteRadio()
    """Whose energy is counted, by device, from the times of its requests and answers."""

    @field_validator("rtt_sigma")
    @classmethod
    def _longest_trip_fits_the_clock(cls, sigma: float, info: ValidationInfo) -> float:
        median = info.data.get("rtt_ms", 0.0)
        widest = math.log(LONGEST_TRIP_MS / median) / FARTHEST if median else math.inf
        if sigma > widest:
            raise ValueError(
                f"expected an rtt_sigma of at most {math.floor(widest * 100) / 100:g} where rtt_ms is {median:g}: the "
                f"longest round trip would be more than {LONGEST_TRIP_MS:g} ms (a century)"
            )
        return sigma

    @model_validator(mode="after")
    def _one_source_of_round_trips(self) -> Access:
        fields = type(self).model_fields
        unused = [key for key in ("rtt_ms", "rtt_sigma") if getattr(self, key) != fields[key].default]
        if unused and not isinstance(self.round_trip, Lognormal):
            raise ValueError(f"{unused[0]} says nothing where round_trip is of kind {self.round_trip.kind}")
        return self


class OwnAccess(Access):
    """A class of your own; what is not given is as for 4G."""

    kind: Literal["own"] = "own"
    share: Share
    """Of devices."""


class FourG(Access):
    """4G: the defaults of `network`."""

    kind: Literal["4g"] = "4g"
    share: Share
    """Of devices."""


class Wifi(Access):
    """WiFi at home."""

    kind: Literal["wifi"] = "wifi"
    share: Share
    """Of devices."""
    rtt_ms: NonNegative = 30.0
    """Assumed; below the cellular medians, as WiFi's latency is lower (Sommers and Barford, IMC 2012)."""
    rtt_sigma: NonNegative = 0.5
    """Assumed."""
    uplink_mbps: Positive | None = 20.0
    """Assumed."""
    downlink_mbps: Positive | None = 50.0
    """About 60% of a CDN's users had less than 50 Mb/s (arXiv 2507.18834)."""
    radio: AnyRadio = WifiRadio()


class FiveG(Access):
    """5G."""

    kind: Literal["5g"] = "5g"
    share: Share
    """Of devices."""
    rtt_ms: NonNegative = 45.0
    """T-Mobile's 5G has 47 ms (Ookla, 2023-24)."""
    rtt_sigma: NonNegative = 0.4
    """Assumed."""
    uplink_mbps: Positive | None = 14.6
    """Median in the US (Ookla, 2023-24)."""
    downlink_mbps: Positive | None = 265.8
    """Median in the US (Ookla, 2023-24)."""
    radio: AnyRadio = FiveGRadio()


class PoorFourG(Access):
    """4G at the edge of a cell. Everything assumed: no source read."""

    kind: Literal["poor-4g"] = "poor-4g"
    share: Share
    """Of devices."""
    rtt_ms: NonNegative = 150.0
    rtt_sigma: NonNegative = 0.8
    uplink_mbps: Positive | None = 0.5
    downlink_mbps: Positive | None = 2.0
    loss: Loss = 0.02
    retransmission: Retransmission = Backoff()
    stalls: Stalling = Stalls()
    availability: Availability = OnOff()


AccessClass = Annotated[Wifi | FiveG | FourG | PoorFourG | OwnAccess, Field(discriminator="kind")]
