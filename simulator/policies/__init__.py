"""The request policies; a new one is a file of this folder and a name in the first of these unions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from scenarios.schema import Scenario
from simulator.policies.always import AlwaysFamily
from simulator.policies.bucket import BucketFamily
from simulator.policies.footrule import FootruleFamily
from simulator.policies.intellectreq import IntellectReqFamily
from simulator.policies.learned_gain import LearnedGainFamily
from simulator.policies.lsc4rec_code import Lsc4RecCodeFamily
from simulator.policies.never import NeverFamily
from simulator.policies.oracle import OracleFamily
from simulator.policies.periodic import PeriodicFamily
from simulator.policies.priced import PricedFamily
from simulator.policies.random import RandomFamily
from simulator.policies.threshold import ThresholdFamily
from simulator.policies.tracker import TrackerFamily

_Rule = (
    AlwaysFamily
    | NeverFamily
    | RandomFamily
    | PeriodicFamily
    | FootruleFamily
    | ThresholdFamily
    | LearnedGainFamily
    | IntellectReqFamily
    | Lsc4RecCodeFamily
    | OracleFamily
    | TrackerFamily
    | PricedFamily
)
Rule = Annotated[_Rule, Field(discriminator="kind")]
AnyPolicy = Annotated[_Rule | BucketFamily, Field(discriminator="kind")]
BucketFamily.model_rebuild(_types_namespace={"Rule": Rule})
# Beside its union, so that whoever asks for the class first, other processes find it where it is said to be.
AnyScenario = Scenario[AnyPolicy]

__all__ = ["AnyPolicy", "AnyScenario", "Rule"]
