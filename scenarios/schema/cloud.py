"""The LLM service: a queue, batches, replicas, a table of service times, a price."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from scenarios.schema.base import Block, Count, NonNegative


class Batching(Block):
    """A replica that is free takes a batch once it is full or its oldest member has waited long enough."""

    max_size: Count = 8
    max_wait_ms: NonNegative = 10.0


class ServiceTimes(Block):
    """How long a replica works on a batch, by the batch's size; straight lines between the sizes given."""

    milliseconds: Annotated[dict[Annotated[int, Field(ge=1)], NonNegative], Field(min_length=1)] = {
        1: 11.0,
        8: 42.0,
        32: 141.0,
    }
    """T5-small, beam 32, FasterTransformer on a V100: derived from its guide's tokens per second, about six output
    tokens an item (FasterTransformer docs/t5_guide.md)."""
    sigma: NonNegative = 0.0
    """Standard deviation of the logarithm of a factor of mean 1 on each batch's time."""

    @model_validator(mode="after")
    def _starts_at_one(self) -> ServiceTimes:
        if 1 not in self.milliseconds:
            raise ValueError("milliseconds must give the time of a batch of 1")
        return self


class Cloud(Block):
    """The service that makes the candidate lists."""

    replicas: Count = 1
    queue_limit: Annotated[int, Field(ge=0)] | None = 1000
    """Requests that may wait; one more is rejected. No limit where null."""
    batching: Batching = Batching()
    service: ServiceTimes = ServiceTimes()
    usd_per_gpu_hour: NonNegative = 1.8
    """Of busy accelerator time. A100-80 at $1.50-3.00 an hour, hyperscalers (mercatus-ai.com, 2026)."""

    @model_validator(mode="after")
    def _table_covers_batches(self) -> Cloud:
        if max(self.service.milliseconds) < self.batching.max_size:
            raise ValueError(
                f"service.milliseconds ends at batches of {max(self.service.milliseconds)}, "
                f"but batching.max_size is {self.batching.max_size}"
            )
        return self
