"""How long the cloud works on what: service times from a dated table or inline, their spread, and tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from scenarios.schema.base import Block, Count, NonNegative
from scenarios.service_times import names, table

DEFAULT_TABLE = "t5-small-beam32-v100"


class NoSpread(Block):
    """Every batch takes what the table says."""

    kind: Literal["none"] = "none"


class LognormalSpread(Block):
    """A lognormal factor of mean 1 on each batch's time."""

    kind: Literal["lognormal"] = "lognormal"
    sigma: NonNegative = 0.2
    """Standard deviation of its logarithm. Assumed: time between tokens is seen to spread by 5-15% (llm-d,
    docs/latency-profiles.md), whole batches by more."""


class ExponentialSpread(Block):
    """An exponential factor of mean 1 on each batch's time, as queueing theory likes it."""

    kind: Literal["exponential"] = "exponential"


Spread = Annotated[NoSpread | LognormalSpread | ExponentialSpread, Field(discriminator="kind")]


class ServiceTimes(Block):
    """How long a replica works: on a batch of a size (static batching), or on one iteration over so many tokens
    (continuous batching); straight lines between the numbers given."""

    table: str | None = None
    """A file of `scenarios/service_times/`, which names engine, accelerator, model, source and date, such as `recfleet
    calibrate` measures. Where neither this nor milliseconds are given: t5-small-beam32-v100."""
    milliseconds: dict[Annotated[int, Field(ge=1)], NonNegative] = {}
    """Inline, by the batch's size or by tokens; from the table where absent."""
    spread: Spread = NoSpread()
    """Of a batch's time around what the table says. Continuous batching takes its spread from the tokens."""

    @field_validator("table")
    @classmethod
    def _is_there(cls, name: str | None) -> str | None:
        if name is not None and name not in names():
            raise ValueError(f"expected the name of a table of service times: {', '.join(names())}")
        return name

    @model_validator(mode="after")
    def _filled(self) -> ServiceTimes:
        if self.table is not None or "milliseconds" not in self.model_fields_set:
            known = table(self.table or DEFAULT_TABLE).milliseconds
            if self.milliseconds and self.milliseconds != known:
                raise ValueError(f"milliseconds differ from those of table {self.table}; give one of the two")
            object.__setattr__(self, "table", self.table or DEFAULT_TABLE)
            object.__setattr__(self, "milliseconds", known)
        if 1 not in self.milliseconds:
            raise ValueError("milliseconds must give the time of a batch of 1")
        return self

    @property
    def by(self) -> Literal["batch", "tokens"] | None:
        """What the milliseconds are given by; None where they are inline and stand for whatever batching wants."""
        return None if self.table is None else table(self.table).by


class Tokens(Block):
    """What a request reads and writes. Static batches see only the output's spread, continuous ones all of it."""

    prompt: Annotated[int, Field(ge=0)] = 60
    """Tokens of the instruction around the history. Assumed."""
    prompt_per_item: Annotated[int, Field(ge=0)] = 6
    """For each item of the history. About six tokens an item id, as LSC4Rec's T5 writes them."""
    longest_prompt: Count = 2048
    """The oldest items are left out beyond this. Assumed."""
    output: Count = 6
    """Mean tokens of an answer: one item id through beam search."""
    output_sigma: NonNegative = 0.0
    """Standard deviation of its logarithm over requests (lognormal). A static batch runs to its longest member, so it
    takes longer in the ratio of that member's tokens to the mean."""
