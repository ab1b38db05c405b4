"""What a device does about a request that fails, and when it stops asking."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from scenarios.schema.base import Block, Count, NonNegative, Positive


class NoBudget(Block):
    """As many retries as the attempts allow."""

    kind: Literal["none"] = "none"


class TokenBudget(Block):
    """A bucket of tokens on each device: a failure takes one, an answer gives some back, and a request is made again
    only while more than half of them are left (gRPC, proposal A6, retry throttling)."""

    kind: Literal["tokens"] = "tokens"
    most: Positive = 10.0
    """Tokens in a full bucket, as it is at the start. As in the example of gRPC's A6."""
    per_answer: Positive = 0.1
    """As in the example of gRPC's A6."""


Budget = Annotated[NoBudget | TokenBudget, Field(discriminator="kind")]


class NoRetry(Block):
    """A request that fails is not made again."""

    kind: Literal["none"] = "none"


class BackoffRetry(Block):
    """A request that was rejected or timed out is made again, after a time drawn evenly between 0 and a limit that
    doubles each time (exponential back-off with full jitter: Brooker, AWS Architecture Blog, 2015)."""

    kind: Literal["backoff"] = "backoff"
    attempts: Annotated[int, Field(ge=2, le=1000)] = 4
    """Of one request, the first included. As in the example of gRPC's A6."""
    first_s: NonNegative = 0.1
    """The limit before the second attempt. As in the example of gRPC's A6."""
    longest_s: NonNegative = 1.0
    """The limit grows no further. As in the example of gRPC's A6."""
    budget: Budget = NoBudget()
    """What keeps a fleet from asking an overloaded cloud again and again."""

    @model_validator(mode="after")
    def _in_order(self) -> BackoffRetry:
        if self.first_s > self.longest_s:
            raise ValueError("first_s must not be above longest_s")
        return self


Retry = Annotated[NoRetry | BackoffRetry, Field(discriminator="kind")]


class NoBreaker(Block):
    """A device asks whenever its policy does."""

    kind: Literal["none"] = "none"


class ConsecutiveBreaker(Block):
    """After so many failures in a row a device does not ask for a while; the next request is a probe, and if that fails
    the breaker stays open for as long again."""

    kind: Literal["consecutive"] = "consecutive"
    failures: Count = 5
    """Attempts that were rejected or timed out. As in Finagle's failure accrual."""
    open_s: Positive = 5.0
    """As Finagle's shortest back-off."""


Breaker = Annotated[NoBreaker | ConsecutiveBreaker, Field(discriminator="kind")]
