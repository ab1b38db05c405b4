"""The LLM service: admission, queues, batches, replicas, service times, a price."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from scenarios.schema.base import Block, Count, NonNegative
from scenarios.schema.capacity import (
    AnswerCache,
    Brownout,
    ConcurrencyScaling,
    Crash,
    FixedReplicas,
    NoAnswerCache,
    Scaling,
)
from scenarios.schema.pricing import NoPricing, Pricing
from scenarios.schema.queueing import (
    Admission,
    AdmitAll,
    Batching,
    ContinuousBatching,
    Discipline,
    FirstIn,
    Routing,
    StaticBatching,
)
from scenarios.schema.service import NoSpread, ServiceTimes, Tokens


class Cloud(Block):
    """The service that makes the candidate lists."""

    replicas: Count = 1
    """At the start; each has one accelerator."""
    queue_limit: Annotated[int, Field(ge=0)] | None = 1000
    """Requests that may wait in a queue while no replica is free; one more is rejected. No limit where null. Assumed.
    """
    admission: Admission = AdmitAll()
    """What else keeps requests out."""
    discipline: Discipline = FirstIn()
    """Who is taken from a queue first."""
    routing: Routing = "shared-queue"
    """One queue for all replicas; or one for each, chosen by turns, by the fewest requests present (the first of
    equals), or by the fewer present of two drawn at random (the power of two choices)."""
    batching: Batching = StaticBatching()
    """What is worked on together."""
    service: ServiceTimes = ServiceTimes()
    """How long that takes."""
    tokens: Tokens = Tokens()
    """What a request reads and writes."""
    scaling: Scaling = FixedReplicas()
    """Whether the number of replicas follows the load."""
    crashes: tuple[Crash, ...] = ()
    """When replicas crash."""
    crashed_requests: Literal["requeue", "fail"] = "requeue"
    """What becomes of the requests on a replica that crashes (and in its own queue, where it has one): they wait again,
    in the place that their arrival gives them, the work on them lost; or they are rejected."""
    brownouts: tuple[Brownout, ...] = ()
    """When replicas are slower."""
    drops_given_up: bool = False
    """A device that gives a request up says so (it closes its connection), and the cloud forgets the request unless
    work on it has begun. Else the cloud knows nothing of it and works for nobody."""
    answer_cache: AnswerCache = NoAnswerCache()
    """Whether answers are kept and sent again."""
    pricing: Pricing = NoPricing()
    """What replies, rejections too, tell devices of the load; heeded by the policy `priced`."""
    usd_per_gpu_hour: NonNegative = 1.8
    """Of an accelerator. A100-80 at $1.50-3.00 an hour, hyperscalers (mercatus-ai.com, 2026)."""
    billed: Literal["busy", "provisioned"] = "busy"
    """What the price is paid for: the time in which replicas work, or all of the time from the order of a replica to
    its end, loading, idle and crashed included."""

    @model_validator(mode="after")
    def _table_covers_batches(self) -> Cloud:
        longest, batching = max(self.service.milliseconds), self.batching
        if isinstance(batching, ContinuousBatching):
            wanted, name = batching.token_budget, "token_budget"
            if self.service.by == "batch":
                raise ValueError(
                    f"service.table {self.service.table} gives times by batch, but batching.kind continuous needs them "
                    "by tokens, as llama2-7b-a100 does"
                )
        else:
            wanted, name = batching.max_size, "max_size"
            if self.service.by == "tokens":
                raise ValueError(
                    f"service.table {self.service.table} gives times by tokens, but batching.kind static needs them "
                    "by batch, as t5-small-beam32-v100 does"
                )
        if longest < wanted:
            what = "batches of" if name == "max_size" else "iterations of"
            raise ValueError(f"service.milliseconds ends at {what} {longest}, but batching.{name} is {wanted}")
        return self

    @model_validator(mode="after")
    def _spreads_by_batch(self) -> Cloud:
        if isinstance(self.batching, ContinuousBatching) and not isinstance(self.service.spread, NoSpread):
            raise ValueError(
                "service.spread is of a batch's time and says nothing where batching.kind is continuous; "
                "tokens.output_sigma spreads the work of that"
            )
        return self

    @model_validator(mode="after")
    def _befalls_replicas_there(self) -> Cloud:
        for key in ("crashes", "brownouts"):
            for each in getattr(self, key):
                if getattr(each, "replica", None) is not None and each.replica >= self.most_replicas:
                    raise ValueError(
                        f"{key} has one of replica {each.replica}, but replicas are 0 .. {self.most_replicas - 1}"
                    )
        return self

    @model_validator(mode="after")
    def _within_scaling(self) -> Cloud:
        scaling = self.scaling
        if isinstance(scaling, FixedReplicas) or scaling.min_replicas <= self.replicas <= scaling.max_replicas:
            return self
        raise ValueError(
            f"replicas ({self.replicas}) must lie between scaling.min_replicas ({scaling.min_replicas}) and "
            f"scaling.max_replicas ({scaling.max_replicas})"
        )

    @property
    def fewest_replicas(self) -> int:
        """Replicas that the crashes and brown-outs of single ones need at least."""
        return 1 + max((getattr(each, "replica", None) or 0 for each in (*self.crashes, *self.brownouts)), default=0)

    @property
    def most_replicas(self) -> int:
        """Replicas that there may ever be at once."""
        return self.scaling.max_replicas if isinstance(self.scaling, ConcurrencyScaling) else self.replicas
