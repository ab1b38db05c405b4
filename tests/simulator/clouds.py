"""Clouds that hypothesis makes up, with every feature on now and then."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

SPREADS = st.sampled_from(
    [
        {"kind": "none"},
        {"kind": "lognormal", "sigma": 0.1},
        {"kind": "lognormal", "sigma": 0.7},
        {"kind": "exponential"},
    ]
)
ADMISSIONS = st.sampled_from(
    [
        {"kind": "all"},
        {"kind": "token-bucket", "rate_per_s": 20, "burst": 1},
        {"kind": "token-bucket", "rate_per_s": 0.5, "burst": 3},
        {"kind": "deadline", "deadline_ms": 0},
        {"kind": "deadline", "deadline_ms": 30},
    ]
)
DISCIPLINES = st.sampled_from(
    [
        {"kind": "fifo"},
        {"kind": "lifo"},
        {"kind": "shortest-history"},
        {"kind": "priority", "shares": (0.3, 0.7)},
        {"kind": "priority", "shares": (0.2, 0.2, 0.6)},
        {"kind": "earliest-deadline", "classes": ({"share": 0.5, "deadline_ms": 5}, {"share": 0.5, "deadline_ms": 50})},
        {"kind": "earliest-deadline", "classes": ({"share": 1.0, "deadline_ms": 0},)},
    ]
)

STATIC_TABLE, CONTINUOUS_TABLE = "t5-base-beam32-v100", "llama2-7b-a100"


@st.composite
def spells(
    draw: st.DrawFn, replicas: int, between: float, lengths: list[float], **more: Any
) -> tuple[dict[str, Any], ...]:
    """Crashes or brown-outs; seldom enough that long work ends some day."""
    begin = draw(st.sampled_from([0.0, 0.05, 1.0]))
    scheduled = {
        "kind": "scheduled",
        "replica": draw(st.sampled_from([None, 0, replicas - 1])),
        "from_s": begin,
        "until_s": begin + draw(st.sampled_from(lengths)),
    }
    drawn = {
        "kind": "drawn",
        "between_s": between * draw(st.sampled_from([2.0, 10.0])),
        "length_s": draw(st.sampled_from(lengths)),
    }
    return draw(
        st.sampled_from(
            [(), ({**scheduled, **more},), ({**drawn, **more},), ({**scheduled, **more}, {**drawn, **more})]
        )
    )


@st.composite
def clouds(draw: st.DrawFn, pace: float = 1.0) -> dict[str, Any]:
    """Keys of a cloud. pace: seconds in which something should befall it; far below the run's it only costs time."""
    replicas = draw(st.integers(1, 3))
    cloud: dict[str, Any] = {
        "replicas": replicas,
        "queue_limit": draw(st.sampled_from([None, 0, 1, 5])),
        "admission": draw(ADMISSIONS) if draw(st.booleans()) else {"kind": "all"},
        "discipline": draw(DISCIPLINES),
        "routing": draw(
            st.sampled_from(["shared-queue", "shared-queue", "round-robin", "least-loaded", "power-of-two"])
        ),
        "crashed_requests": draw(st.sampled_from(["requeue", "fail"])),
        "drops_given_up": draw(st.booleans()),
        "billed": draw(st.sampled_from(["busy", "provisioned"])),
        "usd_per_gpu_hour": draw(st.sampled_from([0.0, 1.8])),
        "tokens": {
            "prompt": draw(st.sampled_from([0, 3])),
            "prompt_per_item": draw(st.sampled_from([0, 1])),
            "longest_prompt": draw(st.sampled_from([8, 30])),
            "output": draw(st.sampled_from([1, 4])),
            "output_sigma": draw(st.sampled_from([0.0, 0.0, 0.8])),
        },
    }
    if draw(st.booleans()):
        work = draw(st.sampled_from([{1: 0.0}, {1: 10.0}, {1: 5.0, 4: 50.0}, {1: 400.0}]))
        cloud["batching"] = {
            "max_size": draw(st.integers(1, 4)),
            "max_wait_ms": draw(st.sampled_from([0.0, 10.0, 20.0])),
        }
        inline = {"milliseconds": {4: max(work.values()), **work}}
        cloud["service"] = {**draw(st.sampled_from([inline, inline, {"table": STATIC_TABLE}])), "spread": draw(SPREADS)}
    else:
        slots = draw(st.integers(1, 4))
        cloud["batching"] = {"kind": "continuous", "slots": slots, "token_budget": draw(st.sampled_from([slots, 8]))}
        work = draw(st.sampled_from([{1: 0.0}, {1: 10.0}, {1: 5.0, 3: 5.0, 8: 20.0}]))
        inline = {"milliseconds": {8: max(work.values()), **work}}
        cloud["service"] = draw(st.sampled_from([inline, inline, {"table": CONTINUOUS_TABLE}]))
    if draw(st.booleans()):
        cloud["crashes"] = draw(spells(replicas, pace, [0.02, 0.5]))
        cloud["brownouts"] = draw(spells(replicas, pace, [0.02, 0.5], slowdown=draw(st.sampled_from([1.5, 4.0]))))
    if draw(st.booleans()):
        settle, target = draw(st.sampled_from([0.1, 1.0])), draw(st.sampled_from([0.5, 2.0]))
        backlog = {"kind": "backlog", "target": target, "settle_s": settle}
        rate = {"kind": "rate", "target_per_s": 10 * target, "settle_s": settle}
        cloud["pricing"] = draw(st.sampled_from([backlog, rate]))
    if draw(st.integers(0, 3)) == 0:
        cloud["answer_cache"] = {"kind": "per-user", "lifetime_s": draw(st.sampled_from([0.01, 0.5, 100.0]))}
    if draw(st.integers(0, 3)) == 0:
        cloud["scaling"] = {
            "kind": "concurrency",
            "target": draw(st.sampled_from([0.5, 2.0])),
            "min_replicas": draw(st.integers(1, replicas)),
            "max_replicas": replicas + draw(st.integers(0, 2)),
            "interval_s": pace * draw(st.sampled_from([0.02, 0.3])),
            "tolerance": draw(st.sampled_from([0.0, 0.1, 1.0])),
            "down_window_s": draw(st.sampled_from([0.0, 0.5])),
            "loading_s": draw(st.sampled_from([0.0, 0.1])),
        }
    return cloud
