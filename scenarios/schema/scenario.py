"""A scenario: one world, and the sweep of request policies that is run in it."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import Field, SerializeAsAny

from scenarios.schema.base import Block, Count, NonNegative
from scenarios.schema.cloud import Cloud
from scenarios.schema.data import Data
from scenarios.schema.fleet import Fleet, Fusion
from scenarios.schema.network import Network
from scenarios.schema.objective import Objective
from scenarios.schema.recommenders import Recommenders

SCHEMA_VERSION = 1

PolicyT = TypeVar("PolicyT")


class Sweep(Block, Generic[PolicyT]):
    """Which points of the curve are run."""

    policies: Annotated[tuple[SerializeAsAny[PolicyT], ...], Field(min_length=1)]
    """Families of points: a policy and the values of its parameter."""
    replications: Count = 3
    """Each point is run this often, with seeds that all points share (common random numbers)."""
    warm_up_s: NonNegative | Literal["mser5"] = 0.0
    """Requests intended before this time of the simulation do not count in latency percentiles: the cloud is not yet
    what it will be. `mser5` finds the time from each run's latencies (White, Simulation 69(6), 1997). Accuracy and
    costs count from the beginning on, as a fleet pays for its beginning too."""


class Scenario(Block, Generic[PolicyT]):
    """A whole scenario file. The policies' kinds belong to the simulator, which fills them in."""

    version: Literal[1]
    """Of this schema."""
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=60)]
    """Names the folder of results."""
    question: str = ""
    """What this scenario answers, in one sentence; shown above its results."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 2026
    data: Data = Data()
    recommenders: Recommenders = Recommenders()
    fusion: Fusion = Fusion()
    fleet: Fleet = Fleet()
    network: Network = Network()
    cloud: Cloud = Cloud()
    objective: Objective = Objective()
    sweep: Sweep[PolicyT]

    def with_policies(self, *policies: object) -> Self:
        """The same scenario with more families of policies, which no file needs to know."""
        sweep = self.sweep.model_copy(update={"policies": (*self.sweep.policies, *policies)})
        return self.model_copy(update={"sweep": sweep})
