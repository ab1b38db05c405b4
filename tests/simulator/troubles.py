"""Worlds with everything on that networks and devices can do, on top of `worlds`."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from worlds import worlds

from scenarios.schema.data import DrawnPace, Pace, Surge
from scenarios.schema.fleet import Fleet
from scenarios.schema.network import Network
from simulator.world import World

TRACES = [Path(tempfile.mkdtemp()) / "trace.csv" for _ in range(2)]
for _trace, _rows in zip(TRACES, ("0,5\n0.05,80\n0.2,0\n1,400\n1.5,20\n", "7,30\n8,0\n"), strict=True):
    _trace.write_text(f"time_s,rtt_ms\n{_rows}")


def access(draw: st.DrawFn) -> dict[str, Any]:
    """An access class of whatever kind."""
    trips: list[dict[str, Any]] = [
        {"rtt_ms": draw(st.sampled_from([0, 10, 60, 300])), "rtt_sigma": draw(st.sampled_from([0.0, 1.0]))},
        {"round_trip": {"kind": "quantiles", "milliseconds": {0: 0, 0.5: draw(st.sampled_from([0, 20])), 1: 500}}},
        {"round_trip": {"kind": "trace", "path": draw(st.sampled_from(TRACES))}},
    ]
    again = {
        "kind": "backoff",
        "timeout_ms": draw(st.sampled_from([1.0, 30.0, 1000.0])),
        "most": draw(st.integers(1, 5)),
    }
    stalls = {"kind": "uniform", "share": 0.3, "from_s": 0.0, "to_s": draw(st.sampled_from([0.0, 0.05, 5.0]))}
    on = {"kind": "on-off", "on_s": draw(st.sampled_from([0.05, 1.0])), "off_s": draw(st.sampled_from([0.01, 0.5]))}
    none = {"kind": "none"}
    return {
        **draw(st.sampled_from(trips)),
        "uplink_mbps": draw(st.sampled_from([None, 1.0])),
        "downlink_mbps": draw(st.sampled_from([None, 1.0])),
        "loss": draw(st.sampled_from([0.0, 0.2, 0.7])),
        "retransmission": draw(st.sampled_from([none, again])),
        "stalls": draw(st.sampled_from([none, stalls])),
        "availability": draw(st.sampled_from([{"kind": "always"}, on])),
        "radio": {"kind": draw(st.sampled_from(["none", "lte", "wifi", "5g"]))},
    }


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Mixed, in regions, with outages."""
    mix = [{"kind": "own", "share": 0.3, **access(draw)} for _ in range(draw(st.integers(0, 2)))]
    known = st.sampled_from(["wifi", "5g", "4g", "poor-4g"])
    mix += [{"kind": draw(known), "share": 0.2} for _ in range(draw(st.integers(0, 2)))]
    begin, regions = draw(st.sampled_from([0.0, 0.1])), draw(st.integers(1, 3))
    scheduled = {
        "kind": "scheduled",
        "region": draw(st.sampled_from([None, 0, regions - 1])),
        "from_s": begin,
        "until_s": begin + draw(st.sampled_from([0.02, 0.5])),
    }
    drawn = {
        "kind": "drawn",
        "between_s": draw(st.sampled_from([0.1, 0.5])),
        "length_s": draw(st.sampled_from([0.01, 0.5])),
    }
    keys = {
        "mix": mix,
        "regions": regions,
        "outages": draw(st.lists(st.sampled_from([scheduled, drawn]), max_size=2)),
        "request_header_bytes": draw(st.sampled_from([0, 400])),
        "answer_header_bytes": draw(st.sampled_from([0, 200])),
    }
    return Network.model_validate({**access(draw), **keys})


@st.composite
def fleets(draw: st.DrawFn, plain: Fleet) -> Fleet:
    """That retry, give up, come late, leave and compute."""
    first = draw(st.sampled_from([0.0, 0.01, 0.1]))
    tokens = {
        "kind": "tokens",
        "most": draw(st.sampled_from([2, 5, 10])),
        "per_answer": draw(st.sampled_from([0.1, 1.0])),
    }
    budget = draw(st.sampled_from([{"kind": "none"}, tokens]))
    backoff = {
        "kind": "backoff",
        "attempts": draw(st.integers(2, 5)),
        "first_s": first,
        "longest_s": draw(st.sampled_from([0.1, 0.2, 2.0])),
        "budget": budget,
    }
    breaker = {"kind": "consecutive", "failures": draw(st.integers(1, 3)), "open_s": draw(st.sampled_from([0.05, 1.0]))}
    churn = {
        "kind": "exponential",
        "lifetime_s": draw(st.sampled_from([0.05, 1.0, 60.0])),
        "late_share": draw(st.sampled_from([0.0, 0.5])),
        "late_s": draw(st.sampled_from([0.0, 0.3])),
    }
    share = draw(st.sampled_from([0.2, 0.5]))
    hardware = [
        {"share": share, "srm_ms": 3.0, "srm_sigma": draw(st.sampled_from([0.0, 0.6])), "adaptation_ms": 0.9},
        {"share": 1 - share, "srm_ms": draw(st.sampled_from([0.0, 40.0])), "watts": 1.0},
    ]
    none = {"kind": "none"}
    adaptation = {
        "kind": draw(st.sampled_from(["bias", "last_layer", "low_rank"])),
        "every": draw(st.integers(1, 4)),
        "steps": draw(st.sampled_from([1, 5])),
        "window": draw(st.sampled_from([4, 20])),
        **{key: draw(st.sampled_from([0.1, 0.5])) for key in ("learning_rate", "decay")},
    }
    if adaptation["kind"] == "low_rank":
        adaptation["rank"] = draw(st.integers(1, 2))
    own = {"kind": "own", "again_s": draw(st.sampled_from([0.01, 0.3]))}
    unmetered = {"kind": "unmetered", "wait_s": draw(st.sampled_from([0.0, 0.2])), "downlink_mbps": 1.0}
    pushes = {
        "kind": "scheduled",
        "first_s": draw(st.sampled_from([0.0, 0.1])),
        "every_s": draw(st.sampled_from([0.01, 0.2])),
        "count": draw(st.integers(1, 3)),
        "spread_s": draw(st.sampled_from([0.0, 0.3])),
        "over": draw(st.sampled_from([own, unmetered, {**unmetered, "downlink_mbps": 0.1}])),
    }
    new = {
        "pushes": draw(st.sampled_from([none, pushes])),
        "adaptation": draw(st.sampled_from([none, adaptation])),
        "late_answers": draw(st.sampled_from(["discard", "use"])),
        "flight": draw(st.sampled_from(["single", "replace"])),
        "retry": draw(st.sampled_from([none, backoff])),
        "breaker": draw(st.sampled_from([none, breaker])),
        "churn": draw(st.sampled_from([none, churn])),
        "horizon_s": draw(st.sampled_from([None, None, 0.02, 0.5, 3.0])),
        "hardware": draw(st.sampled_from([[], hardware])),
    }
    return Fleet.model_validate({**plain.model_dump(), **new})


@st.composite
def rough_worlds(draw: st.DrawFn) -> World:
    """Worlds in which networks fail in every way and devices respond in every way."""
    world = draw(worlds())
    pace: Pace = world.pace
    if isinstance(pace, DrawnPace):
        begin = draw(st.sampled_from([0.0, 0.2]))
        surge = Surge(
            from_s=begin,
            until_s=begin + draw(st.sampled_from([0.3, 2.0])),
            factor=draw(st.sampled_from([0.1, 8.0])),
        )
        update = {
            "daily_cycle": draw(st.sampled_from([0.0, 0.7, 1.0])),
            "surges": draw(st.sampled_from([(), (surge,)])),
            "think_time_sigma": draw(st.sampled_from([0.0, 0.8])),
            "session_length": draw(st.sampled_from([1.0, 5.0])),
            "pause_s": draw(st.sampled_from([0.1, 1.0])),
            "pause_sigma": draw(st.sampled_from([0.0, 1.0])),
        }
        pace = pace.model_copy(update=update)
    else:  # hours in which nothing happens but the weather
        pace = pace.model_copy(update={"longest_gap_s": draw(st.sampled_from([0.02, 10.0]))})
    histories = draw(st.sampled_from([None, np.arange(len(world.users)) * 5 % 7]))
    return replace(
        world,
        network=draw(networks()),
        fleet=draw(fleets(world.fleet)),
        pace=pace,
        histories=histories,
        push_bytes=draw(st.sampled_from([0, 5000])),
    )
