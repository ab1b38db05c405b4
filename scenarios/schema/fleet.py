"""The devices: how many, how long they live, what they hold, how they ask."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from scenarios.schema.adaptation import AnyAdaptation, NoAdaptation
from scenarios.schema.base import Block, Count, NonNegative, Positive, Share
from scenarios.schema.persistence import Breaker, NoBreaker, NoRetry, Retry
from scenarios.schema.pushes import AnyPushes, NoPushes


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
    """Assumed."""


Waiting = Annotated[Asynchronous | Blocking, Field(discriminator="kind")]


class Staying(Block):
    """Every device lives through its whole stream."""

    kind: Literal["none"] = "none"


class Churn(Block):
    """Devices leave for good, and some join late. What is in flight when its device leaves is abandoned."""

    kind: Literal["exponential"] = "exponential"
    lifetime_s: Positive = 86400.0
    """Mean time from a device's first interaction to its leaving; exponential. Assumed."""
    late_share: Share = 0.0
    """Devices that join late."""
    late_s: NonNegative = 3600.0
    """They start later than the pace says by a time drawn evenly between 0 and this. Assumed."""


AnyChurn = Annotated[Staying | Churn, Field(discriminator="kind")]


class Hardware(Block):
    """A class of devices: what its SRM takes at each interaction, before the device can ask or show anything."""

    share: Share
    """Of devices; the class of a device is drawn."""
    srm_ms: NonNegative = 4.0
    """Median over devices, features and scores of a hundred candidates. Assumed 1-10 ms: inference alone takes
    0.05-0.13 ms (TensorFlow Lite's recommendation example, Pixel 3 and 4), and features are 61-86% of a device's time
    (AutoFeature, arXiv 2603.21508)."""
    srm_sigma: NonNegative = 0.6
    """Standard deviation of its logarithm over devices. The tail of FedScale's device speeds."""
    adaptation_ms: NonNegative = 0.05
    """Median over devices, of one gradient step of `fleet.adaptation` for one item of its window, however few there are
    yet; a device that is slow at the one is slow at the other. A server's core takes 0.018 ms where 1,682 items are
    scored, 0.035 where 3,706 are, and 0.003 where those of the window alone are; assumed two to three times that."""
    watts: NonNegative = 2.0
    """Drawn meanwhile. Assumed 1-3 W."""


class Fleet(Block):
    """The population of devices."""

    devices: Count | None = None
    """One for each user where absent. Beyond that number devices are clones: same stream, own clock and network."""
    interactions: Count | None = None
    """Replay at most this many interactions on a device; the whole replay part where absent."""
    catalogue: Catalogue = NoCatalogue()
    """The part of the catalogue whose vectors the device itself holds."""
    adaptation: AnyAdaptation = NoAdaptation()
    """Whether a device goes on training its own model."""
    waiting: Waiting = Asynchronous()
    timeout_s: Positive = 10.0
    """A device gives a request up after this long, each attempt by itself. Assumed."""
    late_answers: Literal["discard", "use"] = "discard"
    """What becomes of an answer that comes after its device gave the request up: `use` shows it if it is newer than
    what is held, and takes it for the answer of a request that is being made again."""
    flight: Literal["single", "replace"] = "single"
    """While a request is on its way a device does not ask (`single`), or a new request takes the place of the old one,
    which is abandoned (`replace`)."""
    retry: Retry = NoRetry()
    """Whether a request that failed is made again."""
    breaker: Breaker = NoBreaker()
    """Whether a device stops asking after failures."""
    churn: AnyChurn = Staying()
    """Whether devices come late and leave for good."""
    horizon_s: Positive | None = None
    """All devices stop at this time of the simulation; what is in flight then stays so. To the end of all streams where
    null."""
    hardware: tuple[Hardware, ...] = ()
    """Classes of devices by their speed; shares add up to 1. Where empty, computing takes neither time nor energy."""
    pushes: AnyPushes = NoPushes()
    """Whether refreshed weights of the device's model come while it lives."""

    @model_validator(mode="after")
    def _shares_add_up(self) -> Fleet:
        total = sum(each.share for each in self.hardware)
        if self.hardware and abs(total - 1) > 1e-9:
            raise ValueError(f"the shares of hardware add up to {total:.10g}, expected 1")
        return self


class Fusion(Block):
    """How a device orders its list: alpha * LLM + (1 - alpha) * SRM over the items that are left in it.

    The five rankers of LSC4Rec's released code: docs/lsc4rec.md.
    """

    over: Literal["scores", "ranks", "probabilities"] = "scores"
    """`scores`: both standardised over the list (mean 0, deviation 1). `ranks`: minus the place in either order.
    `probabilities`: minus the place in the LLM's order as a share of the list's length, and the sigmoid of the SRM's
    score minus 1/2, as in LSC4Rec's released code."""
    alpha: Share = 0.5
    """Weight of the LLM: 1 shows the list as it came, 0 shows the SRM's order of it."""
    raw: bool = False
    """Of `probabilities`: whether the sigmoid is of the SRM's score as it is, as in the released code, rather than of
    its score standardised over the list. A softmax, which SRMs are trained with here, leaves the scores' zero open."""
    gate: Annotated[float, Field(ge=0, lt=0.5)] | None = None
    """Of `probabilities`: the SRM's side counts only for items whose sigmoid is farther than this from 1/2; the
    released code's gated ranker has 0.4."""

    @model_validator(mode="after")
    def _probabilities_alone(self) -> Fusion:
        if self.over != "probabilities" and (self.raw or self.gate is not None):
            raise ValueError("raw and gate are of `over: probabilities` alone")
        return self
