"""How requests are let in, where they wait, in which order they are taken and what is worked on together."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from scenarios.schema.base import Block, Count, NonNegative, Positive


class AdmitAll(Block):
    """Only `queue_limit` keeps a request out."""

    kind: Literal["all"] = "all"


class TokenBucket(Block):
    """A request takes a token from a bucket that fills steadily; where none is left it is rejected."""

    kind: Literal["token-bucket"] = "token-bucket"
    rate_per_s: Positive
    """Tokens that come in a second."""
    burst: Count = 10
    """Tokens in a full bucket, as it is at the start. Assumed."""


class ShedByDeadline(Block):
    """A request whose turn comes when it has waited longer than this is rejected instead of worked on."""

    kind: Literal["deadline"] = "deadline"
    deadline_ms: NonNegative = 1000.0
    """Assumed."""


Admission = Annotated[AdmitAll | TokenBucket | ShedByDeadline, Field(discriminator="kind")]


class FirstIn(Block):
    """Who came first is taken first."""

    kind: Literal["fifo"] = "fifo"


class LastIn(Block):
    """Who came last is taken first: in overload some are served in time instead of all too late."""

    kind: Literal["lifo"] = "lifo"


class DeadlineClass(Block):
    """Part of the fleet, and how soon it wants its answers."""

    share: Annotated[float, Field(gt=0, le=1)]
    """Of devices; the class of a device is drawn."""
    deadline_ms: NonNegative
    """After sending."""


class EarliestDeadline(Block):
    """Whose deadline is nearest is taken first, be it past or not."""

    kind: Literal["earliest-deadline"] = "earliest-deadline"
    classes: Annotated[tuple[DeadlineClass, ...], Field(min_length=1)] = (
        DeadlineClass(share=0.5, deadline_ms=300),
        DeadlineClass(share=0.5, deadline_ms=3000),
    )
    """Shares add up to 1. Assumed."""

    @model_validator(mode="after")
    def _adds_up(self) -> EarliestDeadline:
        _demand_whole([each.share for each in self.classes])
        return self


class ShortestHistory(Block):
    """Whose history is shortest is taken first: it is the least work for a model that reads it all."""

    kind: Literal["shortest-history"] = "shortest-history"


class PriorityClasses(Block):
    """Devices of an earlier class are taken first, within a class who came first. Nobody's work is interrupted."""

    kind: Literal["priority"] = "priority"
    shares: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)] = (0.1, 0.9)
    """Of devices, most urgent class first; they add up to 1, and the class of a device is drawn. Assumed."""

    @model_validator(mode="after")
    def _adds_up(self) -> PriorityClasses:
        _demand_whole(self.shares)
        return self


Discipline = Annotated[
    FirstIn | LastIn | EarliestDeadline | ShortestHistory | PriorityClasses, Field(discriminator="kind")
]


class StaticBatching(Block):
    """A replica that is free takes a batch once it is full or its oldest member has waited long enough, and works on it
    to the end of its longest member."""

    kind: Literal["static"] = "static"
    max_size: Count = 8
    """Assumed."""
    max_wait_ms: NonNegative = 10.0
    """Assumed."""


class ContinuousBatching(Block):
    """A replica works in iterations. In each, every answer it is writing grows by one token, and what is left of the
    token budget goes into reading prompts, first come first; between iterations those done leave and others join."""

    kind: Literal["continuous"] = "continuous"
    slots: Count = 256
    """Requests that a replica works on at once. vLLM's engine usually picks 256."""
    token_budget: Count = 2048
    """Tokens in an iteration. vLLM's class default (max_num_batched_tokens)."""

    @model_validator(mode="after")
    def _fits(self) -> ContinuousBatching:
        if self.slots > self.token_budget:
            raise ValueError(
                f"slots ({self.slots}) must not exceed token_budget ({self.token_budget}): each writes one"
            )
        return self


def _or_static(block: Any) -> Any:
    """A block of batching that names no kind is of the static one."""
    return {"kind": "static", **block} if isinstance(block, dict) else block


Batching = Annotated[
    Annotated[StaticBatching | ContinuousBatching, Field(discriminator="kind")], BeforeValidator(_or_static)
]

Routing = Literal["shared-queue", "round-robin", "least-loaded", "power-of-two"]


def _demand_whole(shares: tuple[float, ...] | list[float]) -> None:
    if abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"shares add up to {sum(shares):.10g}, expected 1")
