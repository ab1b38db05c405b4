"""How many replicas there are and what befalls them: scaling, crashes, brown-outs; and answers kept instead of made."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from scenarios.schema.base import Block, Count, NonNegative, Positive


class FixedReplicas(Block):
    """As many as `replicas` says, from beginning to end."""

    kind: Literal["none"] = "none"


class ConcurrencyScaling(Block):
    """Now and then the number of replicas is set to the requests present (waiting or in work) over a target, rounded
    up: at once where more are wanted, and where fewer, to the most that was wanted within a window. As the horizontal
    pod autoscaler of Kubernetes does, but for its limit on steps up (a doubling or four in 15 s, by default); its
    defaults where none is noted."""

    kind: Literal["concurrency"] = "concurrency"
    target: Positive = 8.0
    """Requests present for each replica. Assumed: one batch."""
    min_replicas: Count = 1
    max_replicas: Count = 10
    """Assumed."""
    interval_s: Positive = 15.0
    """Between two looks."""
    tolerance: NonNegative = 0.1
    """Nothing is done while the present number for each replica is this near to the target, as a share of it."""
    down_window_s: NonNegative = 300.0
    """How far back the most that was wanted is looked for."""
    loading_s: NonNegative = 60.0
    """From the decision for a replica until it takes work: node, container, weights. Assumed."""

    @model_validator(mode="after")
    def _in_order(self) -> ConcurrencyScaling:
        if self.min_replicas > self.max_replicas:
            raise ValueError("min_replicas must not be above max_replicas")
        return self


Scaling = Annotated[FixedReplicas | ConcurrencyScaling, Field(discriminator="kind")]


class _Scheduled(Block):
    kind: Literal["scheduled"] = "scheduled"
    replica: Annotated[int, Field(ge=0)] | None = None
    """Counted from 0; all of them where null."""
    from_s: NonNegative
    """In simulated time."""
    until_s: NonNegative
    """In simulated time."""

    @model_validator(mode="after")
    def _in_order(self) -> _Scheduled:
        if self.from_s >= self.until_s:
            raise ValueError("from_s must lie before until_s")
        return self


class _Drawn(Block):
    kind: Literal["drawn"] = "drawn"
    between_s: Positive = 86400.0
    """Mean time from the end of one to the begin of the next. Assumed."""


class ScheduledCrash(_Scheduled):
    """A replica that loses what it works on at one moment and takes work again at another, its model loaded."""


class DrawnCrashes(_Drawn):
    """Every replica crashes now and then, by itself; times between and lengths are exponential."""

    length_s: Positive = 120.0
    """Mean time until it takes work again, its model loaded. Assumed."""


class ScheduledBrownout(_Scheduled):
    """A replica that is slower from one moment to another."""

    slowdown: Annotated[float, Field(ge=1)] = 3.0
    """What it begins meanwhile, a batch or an iteration, takes this many times as long. Assumed."""


class DrawnBrownouts(_Drawn):
    """Every replica is slower now and then, by itself; times between and lengths are exponential."""

    length_s: Positive = 300.0
    """Mean. Assumed."""
    slowdown: Annotated[float, Field(ge=1)] = 3.0
    """What it begins meanwhile, a batch or an iteration, takes this many times as long. Assumed."""


Crash = Annotated[ScheduledCrash | DrawnCrashes, Field(discriminator="kind")]
Brownout = Annotated[ScheduledBrownout | DrawnBrownouts, Field(discriminator="kind")]


class NoAnswerCache(Block):
    """Every request is worked on."""

    kind: Literal["none"] = "none"


class DeviceAnswerCache(Block):
    """The latest answer made for each device is kept, and sent again at once, at no cost, while it is fresh enough. It
    knows of the clicks before its own request only. (Clones of a user are people of their own and share nothing.)"""

    kind: Literal["per-user"] = "per-user"
    lifetime_s: Positive = 60.0
    """From when it was made. A minute is what EdgeRec allows the cloud to lag behind (arXiv 2005.08416)."""


AnswerCache = Annotated[NoAnswerCache | DeviceAnswerCache, Field(discriminator="kind")]
