"""For every key of a scenario two values that a small world can tell apart, and what else it needs to show it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from keys import Document, Typical

from scenarios.schema import (
    access,
    capacity,
    data,
    fleet,
    generators,
    network,
    persistence,
    pricing,
    queueing,
    recommenders,
    stages,
)
from scenarios.schema.adaptation import Bias, LastLayer, LowRank
from scenarios.schema.pushes import OwnNetwork, Pushes, Unmetered
from simulator.policies.bucket import BucketFamily
from simulator.policies.footrule import FootruleFamily
from simulator.policies.intellectreq import IntellectReqFamily
from simulator.policies.learned_gain import LearnedGainFamily
from simulator.policies.lsc4rec_code import Lsc4RecCodeFamily
from simulator.policies.oracle import OracleFamily
from simulator.policies.periodic import PeriodicFamily
from simulator.policies.priced import PricedFamily
from simulator.policies.random import RandomFamily
from simulator.policies.threshold import ThresholdFamily
from simulator.policies.tracker import TrackerFamily


@dataclass(frozen=True)
class Witness:
    """tried: values that must not come to the same; those that the schema counts where empty. given: other keys, by
    path. at: the key whose values these are, where one key cannot be set without its neighbours."""

    tried: tuple[Any, ...] = ()
    given: Document = field(default_factory=dict)
    at: str = ""


def between(*values: Any, at: str = "", given: Document | None = None) -> Witness:
    """A witness that asks for nothing unusual, unless given."""
    return Witness(values, given or {}, at)


TRAINING = {"epochs": 1, "batch_size": 8, "learning_rate": 0.02}


RETRAINED = [{"kind": "retraining", "training": TRAINING}]
GENERATED = {"wire": "fp16", "training": TRAINING}


def base() -> Document:
    """A small, busy world: ten devices ask one replica as fast as it can answer, and one message in ten is lost."""
    return {
        "version": 1,
        "name": "keys",
        "data": {
            "source": {"kind": "synthetic", "users": 10, "items": 40, "interactions_per_user": 14},
            "pace": {"kind": "drawn", "think_time_s": 0.4, "session_length": 6, "pause_s": 3, "start_spread_s": 1},
        },
        "recommenders": {
            "srm": {"width": 8, "layers": 1, "heads": 1, "window": 8, "training": TRAINING},
            "llm": {"kind": "causal", "width": 8, "layers": 1, "heads": 2, "window": 8, "training": TRAINING},
            "list_length": 10,
        },
        "fleet": {"timeout_s": 1.0},
        "network": {"loss": 0.1},
        "cloud": {
            "queue_limit": 6,
            "batching": {"kind": "static", "max_size": 3},
            "service": {"milliseconds": {1: 60, 4: 200, 64: 500}},
            "tokens": {"prompt": 4, "prompt_per_item": 1, "output": 3},
        },
        "sweep": {"replications": 1, "policies": [{"kind": "always"}]},
    }


def typical(folder: Path) -> Typical:
    """Blocks that have keys without a default, or defaults of hours and days. folder: has what `Lay` lays down."""
    return {
        data.Imported: {"path": str(folder / "imported")},
        data.RecordedPace: {"longest_gap_s": 5.0, "start_spread_s": 1.0},
        data.Surge: {"from_s": 0.2, "until_s": 4.0},
        generators.Duet: GENERATED,
        generators.Solid: {**GENERATED, "clusters": 5},
        recommenders.LocalLlm: {"path": str(folder / "llama-a"), "window": 8},
        recommenders.PretrainedLlm: {
            "model": str(folder / "words-a"),
            "window": 8,
            "rank": 2,
            "precision": "float32",
            "training": TRAINING,
        },
        recommenders.LocalT5: {"path": str(folder / "t5-a"), "window": 8},
        recommenders.T5Llm: {
            "width": 8,
            "layers": 1,
            "heads": 2,
            "window": 8,
            "training": base()["recommenders"]["srm"]["training"],
        },
        **{each: {"training": TRAINING} for each in get_args(get_args(stages.Stage)[0])},
        Pushes: {
            "first_s": 1.0,
            "every_s": 2.0,
            "spread_s": 1.0,
            "stages": [{"kind": "retraining", "training": TRAINING}],
        },
        Unmetered: {"wait_s": 1.0},
        OwnNetwork: {"again_s": 1.0},
        fleet.PopularCatalogue: {"items": 6},
        **{each: {"every": 3, "learning_rate": 0.5} for each in (Bias, LastLayer)},
        LowRank: {"every": 3, "learning_rate": 0.5, "rank": 2},
        fleet.Blocking: {"deadline_ms": 150},
        fleet.Churn: {"lifetime_s": 3.0},
        fleet.Hardware: {"share": 1.0, "srm_ms": 20.0},
        persistence.BackoffRetry: {"attempts": 3},
        persistence.TokenBudget: {"most": 4.0},
        persistence.ConsecutiveBreaker: {"failures": 2, "open_s": 1.0},
        access.Quantiles: {"milliseconds": {0: 10, 0.5: 40, 1: 300}},
        access.Trace: {"path": str(folder / "a.csv")},
        access.Backoff: {"timeout_ms": 100.0},
        access.Stalls: {"share": 0.3, "from_s": 0.1, "to_s": 0.5},
        access.OnOff: {"on_s": 2.0, "off_s": 1.0},
        **{each: {"share": 0.7} for each in get_args(get_args(access.AccessClass)[0])},
        network.ScheduledOutage: {"from_s": 1.0, "until_s": 2.0},
        network.DrawnOutages: {"between_s": 2.0, "length_s": 1.0},
        queueing.TokenBucket: {"rate_per_s": 5.0, "burst": 2},
        queueing.ShedByDeadline: {"deadline_ms": 100.0},
        queueing.DeadlineClass: {"share": 1.0, "deadline_ms": 100},
        queueing.ContinuousBatching: {"slots": 3, "token_budget": 24},
        capacity.ConcurrencyScaling: {"target": 2.0, "interval_s": 0.3, "down_window_s": 0.3, "loading_s": 0.2},
        capacity.ScheduledCrash: {"from_s": 1.0, "until_s": 1.5},
        capacity.DrawnCrashes: {"between_s": 1.5, "length_s": 0.5},
        capacity.ScheduledBrownout: {"from_s": 1.0, "until_s": 2.0},
        capacity.DrawnBrownouts: {"between_s": 1.5, "length_s": 0.5},
        capacity.DeviceAnswerCache: {"lifetime_s": 0.8},
        pricing.BacklogPricing: {"target": 0.5, "settle_s": 0.5},
        pricing.RatePricing: {"target_per_s": 5.0, "settle_s": 0.5},
        RandomFamily: {"probability": 0.5},
        PeriodicFamily: {"every": 3},
        FootruleFamily: {"threshold": 5.0},
        ThresholdFamily: {"signal": "age", "threshold": 0.0},
        LearnedGainFamily: {"threshold": 1.0},
        IntellectReqFamily: {"threshold": 1.0},
        Lsc4RecCodeFamily: {"threshold": 2.0},
        OracleFamily: {"price": 3.0},
        TrackerFamily: {"rate": 0.3},
        PricedFamily: {"threshold": 5.0},
        BucketFamily: {"rule": {"kind": "always"}, "per_interaction": 0.3},
    }


WITHOUT_EFFECT = {
    "version": "has one value",
    "name": "names the folder of results",
    "question": "stands above the results",
    "network.round_trip[trace].sha256": "says of which recording the results are; another file is refused",
}
"""Keys that must change nothing of a run, and why they are there."""

TWINS = {"network.mix": ("4g", "own")}
"""Members that come to the same as long as nothing else is said of them."""

ALIKE = (
    (r"^network\.mix\[[^]]*\]\.(?!share$)", "network."),
    (r"^network\.mix\[[^]]*\]\.share$", "network.mix[].share"),
    (r"(?<=\.radio)\[[^]]*\]", "[]"),
    (r"^data\.source\[(movielens-100k|movielens-1m|imported)\]\.users", "data.source[kept].users"),
    (r"^sweep\.policies\[bucket\]\.rule\[", "sweep.policies["),
    (r"^recommenders\.generator\[(duet|solid)\]\.(?=layers|wire|lag|heads_trainable|as_released)", "generated."),
    (r"^recommenders\.generator\[(duet|solid)\]\.training", "training"),
    (r"^recommenders\.(srm(\.stages\[[^]]*\])?|llm\[(causal|pretrained|t5)\])\.training", "training"),
    (r"^fleet\.pushes\[[^]]*\]\.stages\[[^]]*\]\.training", "training"),
    (r"^fleet\.pushes\[[^]]*\]\.stages\[", "recommenders.srm.stages["),
    (r"^fleet\.adaptation\[[^]]*\]\.(?!rank$)", "fleet.adaptation[]."),
)
"""Keys that one witness speaks for: each class of access has the keys of the network itself."""


def name_of(path: str) -> str:
    """Under which name the witness of a key stands."""
    for pattern, name in ALIKE:
        path = re.sub(pattern, name, path)
    return path


LONG_RETRY = {"fleet.retry[backoff].attempts": 4, "fleet.timeout_s": 0.2}
IN_TOKENS = {"cloud.batching[continuous].slots": 3}
CLUSTERS = {"recommenders.llm[t5].item_ids": "semantic_behaviour"}
MANY_ITEMS = {"data.source[synthetic].items": 150}
THREE = {"cloud.replicas": 3, "cloud.batching[static].max_size": 1, "cloud.service.milliseconds": {1: 400, 64: 400}}
PRICES, HEEDED = {"cloud.pricing[backlog].settle_s": 0.5}, {"sweep.policies[priced].threshold": 2.0}
BUSY = {"cloud.batching[static].max_size": 1, "cloud.service.milliseconds": {1: 150, 64: 150}}


def both(one: Document, other: Document, share: float = 0.5) -> list[Document]:
    """Two classes, of which the first takes this share."""
    return [{**one, "share": share}, {**other, "share": 1 - share}]


def urgent(one_ms: float, other_ms: float, share: float = 0.5) -> list[Document]:
    """Two classes of deadlines."""
    return both({"deadline_ms": one_ms}, {"deadline_ms": other_ms}, share)


def witnesses(folder: Path) -> dict[str, Witness]:
    """By key."""
    return {
        "seed": between(1, 2),
        # What is replayed
        "data.source": Witness(),
        "data.source[kept].users": between(5, 8),
        "data.source[imported].path": between(str(folder / "imported"), str(folder / "imported-too")),
        "data.source[synthetic].users": between(12, 13),
        "data.source[synthetic].items": between(40, 50),
        "data.source[synthetic].interactions_per_user": between(18, 22),
        "data.source[synthetic].interests": between(2, 8),
        "data.source[synthetic].drift": between(0.05, 0.5),
        "data.source[synthetic].zipf_exponent": between(1.0, 1.5),
        "data.source[synthetic].session_length": between(3.0, 10.0),
        "data.source[synthetic].daily_cycle": between(0.0, 0.9),
        "data.split": Witness(),
        "data.split[fraction].history": between(0.5, 0.7),
        "data.split[fraction].validation": between(0.1, 0.25),
        "data.split[moment].validation_from": between(0.5, 0.6),
        "data.split[moment].replay_from": between(0.7, 0.8),
        # When
        "data.pace": Witness(),
        "data.pace[recorded].compression": between(1.0, 2.0),
        "data.pace[recorded].longest_gap_s": between(None, 1.0),
        "data.pace[recorded].start_spread_s": between(0.0, 3.0),
        "data.pace[drawn].think_time_s": between(0.4, 0.5),
        "data.pace[drawn].think_time_sigma": between(0.0, 0.8),
        "data.pace[drawn].session_length": between(3, 6),
        "data.pace[drawn].pause_s": between(3, 6),
        "data.pace[drawn].pause_sigma": between(0.0, 1.0),
        "data.pace[drawn].daily_cycle": between(0.0, 1.0),
        "data.pace[drawn].start_spread_s": between(0, 1),
        "data.pace[drawn].surges": Witness(),
        "data.pace[drawn].surges[].from_s": between(0.2, 0.6),
        "data.pace[drawn].surges[].until_s": between(2.0, 5.0),
        "data.pace[drawn].surges[].factor": between(3.0, 6.0),
        # What the models say
        "recommenders.srm.kind": Witness(),
        "recommenders.srm.width": between(8, 12),
        "recommenders.srm.layers": between(1, 2),
        "recommenders.srm.heads": between(1, 2),
        "recommenders.srm.window": between(4, 8),
        "recommenders.srm.dropout": between(0.0, 0.5),
        "recommenders.srm.options": between({}, {"negatives": 4}, given={"recommenders.srm.kind": "din"}),
        "training.epochs": between(1, 2),
        "training.patience": between(1, 6, given={"training.epochs": 6, "training.learning_rate": 0.2}),
        "training.learning_rate": between(0.005, 0.02),
        "training.batch_size": between(4, 8),
        "training.seed": between(0, 1),
        "recommenders.srm.stages": Witness(),
        "recommenders.srm.stages[cooperative].candidates": between(3, 20),
        "recommenders.srm.stages[cooperative].recombined": between(0, 10),
        "recommenders.srm.stages[cooperative].loss": Witness(),
        "recommenders.srm.stages[cooperative].catalogue_weight": between(0.0, 0.5, 1.0),
        "recommenders.srm.stages[retraining].held_out": between(
            0.2, 0.8, given={"data.split[fraction].validation": 0.3}
        ),
        "recommenders.srm.stages[distillation].loss": Witness(),
        "recommenders.srm.stages[distillation].ranking_weight": between(0.0, 0.3, 0.7),
        "recommenders.srm.stages[distillation].candidates": between(3, 10),
        "recommenders.srm.stages[distillation].position_weight": between(0.0, 0.3),
        "recommenders.srm.stages[distillation].position_scale": between(1.0, 3.0),
        "recommenders.srm.stages[distillation].confidence_weight": between(0.0, 0.5),
        "recommenders.srm.stages[distillation].confidence": Witness(),
        "recommenders.srm.stages[distillation].consistency_weight": between(0.0, 0.1),
        "recommenders.srm.stages[distillation].embedding_weight": between(0.0, 0.2, 0.3),
        "recommenders.srm.stages[distillation].vectors": Witness(given={"recommenders.llm[pretrained].window": 8}),
        "recommenders.srm.stages[mergenet].source": Witness(),
        "recommenders.srm.stages[mergenet].matrix": Witness(),
        "recommenders.srm.stages[mergenet].rank": between(2, 8),
        "recommenders.srm.stages[mergenet].teaches": Witness(),
        "recommenders.srm.stages[mergenet].every": between(2, 3),
        "recommenders.srm.stages[mergenet].write": Witness(),
        "recommenders.srm.stages[mergenet].share": between(0.2, 1.0),
        "recommenders.srm.stages[mergenet].adapter_layers": between(1, 2),
        "recommenders.srm.stages[mergenet].adapter_heads": between(4, 8),
        "recommenders.srm.stages[mergenet].adapter_width": between(32, 64),
        "recommenders.srm.stages[mergenet].adapter_learning_rate": between(0.001, 0.01),
        "recommenders.llm": Witness(),
        "recommenders.llm[causal].architecture": between("llama", "gpt2"),
        "recommenders.llm[causal].width": between(8, 12),
        "recommenders.llm[causal].layers": between(1, 2),
        "recommenders.llm[causal].heads": between(2, 4),
        "recommenders.llm[causal].window": between(4, 8),
        "recommenders.llm[causal].dropout": between(0.0, 0.5),
        "recommenders.llm[local].path": between(str(folder / "llama-a"), str(folder / "llama-b")),
        "recommenders.llm[local].window": between(4, 8),
        "recommenders.llm[pretrained].model": between(str(folder / "words-a"), str(folder / "words-b")),
        "recommenders.llm[pretrained].layers": between(1, None),
        "recommenders.llm[pretrained].prompt": between("", "the story of"),
        "recommenders.llm[pretrained].tuning": Witness(),
        "recommenders.llm[pretrained].rank": between(2, 3),
        "recommenders.llm[pretrained].alpha": between(16, 64),
        "recommenders.llm[pretrained].targets": between(["q_proj"], []),
        "recommenders.llm[pretrained].window": between(4, 8),
        "recommenders.llm[pretrained].dropout": between(0.0, 0.5),
        # What auto comes to is up to the machine (tests/models/llms/test_pretrained.py).
        "recommenders.llm[pretrained].precision": between("bfloat16", "float32"),
        # Ids of titles need a model that reads them (tests/models/test_recommenders.py).
        "recommenders.llm[t5].item_ids": between("digits", "token", "semantic_behaviour"),
        "recommenders.llm[t5].levels": between(1, 2, given=CLUSTERS),
        "recommenders.llm[t5].codebook": between(4, 8, given=CLUSTERS),
        "recommenders.llm[t5].width": between(8, 12),
        "recommenders.llm[t5].layers": between(1, 2),
        "recommenders.llm[t5].heads": between(2, 4),
        "recommenders.llm[t5].window": between(4, 8),
        "recommenders.llm[t5].dropout": between(0.0, 0.5),
        "recommenders.llm[t5].beams": between(
            None, 10, given={**MANY_ITEMS, **CLUSTERS, "recommenders.llm[t5].codebook": 40}
        ),
        "recommenders.llm[t5].constrained": Witness(),
        "recommenders.llm[local_t5].constrained": Witness(),
        "recommenders.llm[local_t5].path": between(str(folder / "t5-a"), str(folder / "t5-b")),
        "recommenders.llm[local_t5].item_ids": Witness(),
        "recommenders.llm[local_t5].window": between(4, 8),
        "recommenders.llm[local_t5].beams": between(None, 10, given=MANY_ITEMS),
        "recommenders.generator": Witness(),
        "generated.layers": between(1, 2),
        "generated.wire": Witness(),
        "generated.lag": between(0, 5),
        "generated.heads_trainable": Witness(),
        "generated.as_released": Witness(),
        "recommenders.generator[solid].semantics": Witness(),
        "recommenders.generator[solid].clusters": between(4, 8),
        "recommenders.generator[solid].bound": between(0.0, 0.5),
        "recommenders.generator[solid].codebook_weight": between(0.1, 5.0),
        "recommenders.list_length": between(10, 15),
        "recommenders.precision": Witness(),
        "fusion.over": Witness(),
        "fusion.alpha": between(0.3, 0.6),
        "fusion.raw": Witness(given={"fusion.over": "probabilities"}),
        "fusion.gate": between(None, 0.3, given={"fusion.over": "probabilities"}),
        "fleet.catalogue": Witness(),
        "fleet.catalogue[popular].items": between(5, 20),
        "fleet.pushes": Witness(),
        "fleet.pushes[scheduled].first_s": between(0.0, 3.0),
        "fleet.pushes[scheduled].every_s": between(1.0, 3.0, given={"fleet.pushes[scheduled].count": 3}),
        "fleet.pushes[scheduled].count": between(1, 3),
        "fleet.pushes[scheduled].spread_s": between(0.0, 4.0),
        "fleet.pushes[scheduled].making_s": between(0.0, 2.0, given={"fleet.pushes[scheduled].first_s": 4.0}),
        "fleet.pushes[scheduled].stages": Witness(),
        "fleet.pushes[scheduled].over": Witness(),
        "fleet.pushes[scheduled].over[own].again_s": between(0.5, 3.0, given={"network.loss": 0.5}),
        "fleet.pushes[scheduled].over[unmetered].wait_s": between(0.5, 3.0),
        "fleet.pushes[scheduled].over[unmetered].downlink_mbps": between(0.01, 0.1),
        "fleet.adaptation": Witness(),
        "fleet.adaptation[].every": between(2, 4),
        "fleet.adaptation[].steps": between(0, 1, 5),
        "fleet.adaptation[].window": between(2, 6),
        "fleet.adaptation[].learning_rate": between(0.0, 0.5, 2.0),
        "fleet.adaptation[].decay": between(0.0, 1.0),
        "fleet.adaptation[low_rank].rank": between(1, 4),
        # Devices
        "fleet.devices": between(None, 20),
        "fleet.interactions": between(None, 5),
        "fleet.waiting": Witness(),
        "fleet.waiting[blocking].deadline_ms": between(50.0, 200.0),
        "fleet.timeout_s": between(0.2, 1.0),
        "fleet.late_answers": Witness(given={"fleet.timeout_s": 0.2}),
        "fleet.flight": Witness(),
        "fleet.retry": Witness(),
        "fleet.retry[backoff].attempts": between(2, 4, given={"fleet.timeout_s": 0.2}),
        "fleet.retry[backoff].first_s": between(0.05, 0.5),
        "fleet.retry[backoff].longest_s": between(0.1, 1.0, given=LONG_RETRY),
        "fleet.retry[backoff].budget": Witness(given=LONG_RETRY),
        "fleet.retry[backoff].budget[tokens].most": between(2.0, 8.0, given=LONG_RETRY),
        "fleet.retry[backoff].budget[tokens].per_answer": between(0.1, 1.0, given=LONG_RETRY),
        "fleet.breaker": Witness(),
        "fleet.breaker[consecutive].failures": between(1, 2),
        "fleet.breaker[consecutive].open_s": between(0.5, 2.0),
        "fleet.churn": Witness(),
        "fleet.churn[exponential].lifetime_s": between(3.0, 6.0),
        "fleet.churn[exponential].late_share": between(0.0, 0.5),
        "fleet.churn[exponential].late_s": between(1.0, 2.0, given={"fleet.churn[exponential].late_share": 0.5}),
        "fleet.horizon_s": between(None, 4.0),
        "fleet.hardware": Witness(),
        "fleet.hardware[].share": between(
            *(both({"srm_ms": 5}, {"srm_ms": 50}, share) for share in (0.2, 0.8)), at="fleet.hardware"
        ),
        "fleet.hardware[].srm_ms": between(5.0, 20.0),
        "fleet.hardware[].srm_sigma": between(0.0, 0.6),
        "fleet.hardware[].adaptation_ms": between(0.01, 0.1, given={"fleet.adaptation[bias].window": 20}),
        "fleet.hardware[].watts": between(1.0, 2.0),
        # The network
        "network.rtt_ms": between(60.0, 90.0),
        "network.rtt_sigma": between(0.2, 0.6),
        "network.round_trip": Witness(),
        "network.round_trip[quantiles].milliseconds": between({0: 10, 1: 90}, {0: 10, 0.5: 20, 1: 90}),
        "network.round_trip[trace].path": between(str(folder / "a.csv"), str(folder / "b.csv")),
        "network.uplink_mbps": between(None, 0.5),
        "network.downlink_mbps": between(None, 0.5),
        "network.loss": between(0.1, 0.2),
        "network.retransmission": Witness(given={"network.loss": 0.3}),
        "network.retransmission[backoff].timeout_ms": between(50.0, 100.0, given={"network.loss": 0.3}),
        "network.retransmission[backoff].most": between(1, 3, given={"network.loss": 0.5}),
        "network.stalls": Witness(),
        "network.stalls[uniform].share": between(0.1, 0.3),
        "network.stalls[uniform].from_s": between(0.0, 0.2),
        "network.stalls[uniform].to_s": between(0.3, 0.6),
        "network.availability": Witness(),
        "network.availability[on-off].on_s": between(1.0, 4.0),
        "network.availability[on-off].off_s": between(0.5, 2.0),
        "network.radio": Witness(),
        "network.radio[].promotion_mw": between(1000.0, 2000.0),
        "network.radio[].promotion_ms": between(100.0, 200.0),
        "network.radio[].tail_mw": between(500.0, 1000.0),
        "network.radio[].tail_s": between(0.2, 1.0),
        "network.radio[].base_mw": between(500.0, 1000.0),
        "network.radio[].uplink_mw_per_mbps": between(100.0, 200.0),
        "network.radio[].downlink_mw_per_mbps": between(100.0, 200.0),
        "network.mix": Witness(),
        "network.mix[].share": between(0.3, 0.7),
        "network.regions": between(1, 3, given={"network.outages[drawn].between_s": 2.0}),
        "network.outages": Witness(),
        "network.outages[scheduled].region": between(None, 0, 1, given={"network.regions": 2}),
        "network.outages[scheduled].from_s": between(0.5, 1.0),
        "network.outages[scheduled].until_s": between(2.0, 4.0),
        "network.outages[drawn].between_s": between(2.0, 4.0),
        "network.outages[drawn].length_s": between(0.5, 1.0),
        "network.request_header_bytes": between(400, 800),
        "network.answer_header_bytes": between(200, 400),
        # The cloud
        "cloud.replicas": between(1, 2),
        "cloud.queue_limit": between(None, 1, 3),
        "cloud.admission": Witness(),
        "cloud.admission[token-bucket].rate_per_s": between(3.0, 5.0),
        "cloud.admission[token-bucket].burst": between(1, 5),
        "cloud.admission[deadline].deadline_ms": between(50.0, 150.0),
        "cloud.discipline": Witness(given=BUSY),
        "cloud.discipline[earliest-deadline].classes": between(urgent(100, 100), urgent(100, 900), given=BUSY),
        "cloud.discipline[earliest-deadline].classes[].share": between(
            urgent(100, 900, 0.2), urgent(100, 900, 0.7), at="cloud.discipline[earliest-deadline].classes", given=BUSY
        ),
        "cloud.discipline[earliest-deadline].classes[].deadline_ms": between(
            urgent(100, 500), urgent(900, 500), at="cloud.discipline[earliest-deadline].classes", given=BUSY
        ),
        "cloud.discipline[priority].shares": between((0.1, 0.9), (0.5, 0.5), given=BUSY),
        "cloud.routing": Witness(given=THREE),
        "cloud.batching": Witness(),
        "cloud.batching[static].max_size": between(2, 4),
        "cloud.batching[static].max_wait_ms": between(0.0, 50.0),
        "cloud.batching[continuous].slots": between(1, 3),
        "cloud.batching[continuous].token_budget": between(6, 24),
        "cloud.service.table": between(
            "t5-small-beam32-v100", "t5-base-beam32-v100", given={"cloud.service.milliseconds": {}}
        ),
        "cloud.service.milliseconds": between({1: 60, 64: 500}, {1: 80, 64: 500}),
        "cloud.service.spread": Witness(),
        "cloud.service.spread[lognormal].sigma": between(0.2, 0.5),
        "cloud.tokens.prompt": between(4, 12, given=IN_TOKENS),
        "cloud.tokens.prompt_per_item": between(1, 2, given=IN_TOKENS),
        "cloud.tokens.longest_prompt": between(8, 64, given=IN_TOKENS),
        "cloud.tokens.output": between(2, 4, given=IN_TOKENS),
        "cloud.tokens.output_sigma": between(0.0, 0.8),
        "cloud.scaling": Witness(),
        "cloud.scaling[concurrency].target": between(1.0, 3.0),
        "cloud.scaling[concurrency].min_replicas": between(1, 2, given={"cloud.replicas": 2}),
        "cloud.scaling[concurrency].max_replicas": between(2, 6),
        "cloud.scaling[concurrency].interval_s": between(0.2, 0.5),
        "cloud.scaling[concurrency].tolerance": between(0.0, 0.9),
        "cloud.scaling[concurrency].down_window_s": between(0.0, 2.0),
        "cloud.scaling[concurrency].loading_s": between(0.1, 0.5),
        "cloud.crashes": Witness(),
        "cloud.crashes[scheduled].replica": between(None, 0, 1, given={"cloud.replicas": 2}),
        "cloud.crashes[scheduled].from_s": between(0.5, 1.0),
        "cloud.crashes[scheduled].until_s": between(1.5, 2.5),
        "cloud.crashes[drawn].between_s": between(1.5, 3.0),
        "cloud.crashes[drawn].length_s": between(0.5, 1.0),
        "cloud.crashed_requests": Witness(given={"cloud.crashes[drawn].length_s": 0.3}),
        "cloud.brownouts": Witness(),
        "cloud.brownouts[scheduled].replica": between(None, 0, 1, given={"cloud.replicas": 2}),
        "cloud.brownouts[scheduled].from_s": between(0.5, 1.0),
        "cloud.brownouts[scheduled].until_s": between(1.5, 3.0),
        "cloud.brownouts[scheduled].slowdown": between(2.0, 4.0),
        "cloud.brownouts[drawn].between_s": between(1.5, 3.0),
        "cloud.brownouts[drawn].length_s": between(0.5, 1.0),
        "cloud.brownouts[drawn].slowdown": between(2.0, 4.0),
        "cloud.drops_given_up": Witness(given={"fleet.timeout_s": 0.2}),
        "cloud.answer_cache": Witness(),
        "cloud.answer_cache[per-user].lifetime_s": between(0.5, 1.5),
        "cloud.pricing": Witness(given=HEEDED),
        "cloud.pricing[backlog].target": between(0.5, 2.0, given=HEEDED),
        "cloud.pricing[backlog].settle_s": between(0.2, 1.0, given=HEEDED),
        "cloud.pricing[rate].target_per_s": between(5.0, 10.0, given=HEEDED),
        "cloud.pricing[rate].settle_s": between(0.2, 1.0, given=HEEDED),
        "cloud.usd_per_gpu_hour": between(1.0, 2.0),
        "cloud.billed": Witness(),
        # What is run, and what it is held against
        "objective.p95_latency_s": between(0.2, 0.8),
        "objective.failed_share": between(0.2, 0.8),
        "objective.ndcg_at_10": between(0.2, 0.8),
        "objective.usd_per_1000_interactions": between(0.2, 0.8),
        "sweep.warm_up_s": between(0.0, 3.0),
        "sweep.policies": Witness(given=PRICES),
        "sweep.policies[random].probability": between(0.3, 0.6),
        "sweep.policies[periodic].every": between(2, 4),
        "sweep.policies[footrule].threshold": between(3.0, 6.0),
        "sweep.policies[footrule].quantile": between(0.5, 0.8, given={"sweep.policies[footrule].threshold": None}),
        "sweep.policies[threshold].signal": between("age", "drift"),
        "sweep.policies[threshold].weights": between(
            {"age": 1.0}, {"age": 0.5, "drift": -1.0}, given={"sweep.policies[threshold].signal": None}
        ),
        "sweep.policies[threshold].threshold": between(-1.0, 1.0),
        "sweep.policies[threshold].quantile": between(0.5, 0.8, given={"sweep.policies[threshold].threshold": None}),
        "sweep.policies[learned-gain].sees": Witness(),
        "sweep.policies[learned-gain].threshold": between(-1.0, 1.0),
        "sweep.policies[learned-gain].quantile": between(
            0.5, 0.8, given={"sweep.policies[learned-gain].threshold": None}
        ),
        "sweep.policies[intellectreq].detector": Witness(),
        "sweep.policies[intellectreq].threshold": between(-1.0, 1.0),
        "sweep.policies[intellectreq].quantile": between(
            0.5, 0.8, given={"sweep.policies[intellectreq].threshold": None}
        ),
        "sweep.policies[intellectreq].quantile_of": Witness(
            given={"sweep.policies[intellectreq].threshold": None, "sweep.policies[intellectreq].quantile": 0.6}
        ),
        "sweep.policies[lsc4rec_code].threshold": between(-1.0, 1.0),
        "sweep.policies[lsc4rec_code].quantile": between(
            0.5, 0.8, given={"sweep.policies[lsc4rec_code].threshold": None}
        ),
        "sweep.policies[lsc4rec_code].quantile_of": Witness(
            given={"sweep.policies[lsc4rec_code].threshold": None, "sweep.policies[lsc4rec_code].quantile": 0.6}
        ),
        "sweep.policies[oracle].price": between(3.0, 12.0),
        "sweep.policies[tracker].signal": between("footrule", "age"),
        "sweep.policies[tracker].falling": Witness(),
        "sweep.policies[tracker].rate": between(0.3, 0.6),
        "sweep.policies[tracker].step": between(0.1, 2.0),
        "sweep.policies[priced].signal": between("footrule", "age"),
        "sweep.policies[priced].falling": Witness(),
        "sweep.policies[priced].threshold": between(3.0, 6.0),
        "sweep.policies[priced].quantile": between(0.5, 0.8, given={"sweep.policies[priced].threshold": None}),
        "sweep.policies[priced].half_life_s": between(0.2, 60.0, given=PRICES),
        "sweep.policies[bucket].rule": Witness(given={**PRICES, "sweep.policies[bucket].per_interaction": 0.9}),
        "sweep.policies[bucket].per_interaction": between(0.2, 0.4),
        "sweep.policies[bucket].per_hour": between(
            1000.0, 3000.0, given={"sweep.policies[bucket].per_interaction": None}
        ),
        "sweep.policies[bucket].burst": between(1, 3),
        "sweep.replications": between(1, 2),
    }
