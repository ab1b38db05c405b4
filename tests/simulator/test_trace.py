"""A trace obeys its format to the letter, and says what the tables say.

There is no trace processor at hand, so the rules by which Perfetto imports JSON are written down here one by one (its
`json_trace_parser_impl.cc`, `slice_tracker.cc` and `flow_tracker.cc`); each is one that, broken, counts there among the
errors or draws something else.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from troubles import rough_worlds
from worlds import POLICIES, outcomes, policy, world

from analysis.trace import CLOUD, COUNTERS, DEVICES, Tables, events
from scenarios.schema.queueing import ContinuousBatching
from simulator.policies.base import Policy
from simulator.records import detour_table, shift_table
from simulator.rehearse import rehearse
from simulator.run import Result, run
from simulator.world import World

Event = dict[str, Any]


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def check(made: list[Event]) -> list[Event]:
    """Hold events against the format, and give them back as a reader finds them."""
    events: list[Event] = json.loads(json.dumps(made), parse_constant=refuse)
    last, named = 0, defaultdict(set)
    open_slices: dict[tuple[int, int], list[Event]] = defaultdict(list)
    flows: dict[int, str] = defaultdict(str)
    counters: dict[str, set[str]] = {}
    assert len({e["tid"] for e in events if e["ph"] != "C"}) == len(
        {(e["pid"], e["tid"]) for e in events if e["ph"] != "C"}
    )
    for e in events:
        where = (e["pid"], e["tid"])
        assert e["ph"] in "MXCstfi", "a phase of the format"
        assert e["pid"] > 0 < e["tid"], "0 is the idle process"
        assert e["name"] == str(e["name"]) != "", "everything has a name"
        assert isinstance(e["ts"], int), "whole microseconds"
        assert isinstance(e["args"], dict)
        assert not any(isinstance(value, (dict, list)) or value is None for value in e["args"].values())
        assert e["ts"] >= last, "rising in time"
        last = e["ts"]
        if e["ph"] == "M":
            key = "name" if e["name"].endswith("_name") else "sort_index"
            assert set(e["args"]) == {key}
            assert e["name"] not in named[where], "said once"
            named[where].add(e["name"])
            continue
        kind = "process" if e["ph"] == "C" else "thread"
        assert named[where] >= {f"{kind}_name", f"{kind}_sort_index"}, "said before what they are about"
        if e["ph"] == "C":
            assert counters.setdefault(e["name"], set(e["args"])) == set(e["args"]), "a counter keeps its series"
            assert all(isinstance(value, (int, float)) for value in e["args"].values())
            continue
        stack = open_slices[where]
        if e["ph"] == "i":
            assert e["s"] in ("g", "p", "t"), "an instant has a scope"
            e["dur"] = 0  # and is taken for a slice of no length
        if e["ph"] in "Xi":
            assert isinstance(e["dur"], int)
            assert e["dur"] >= 0
            while stack and _is_over(stack[-1], e):
                stack.pop()
            if stack:
                assert e["ts"] + e["dur"] <= stack[-1]["ts"] + stack[-1]["dur"], (
                    "slices lie within each other, or apart"
                )
            stack.append(e)
            assert len(stack) < 512, "no deeper than it is drawn"
        else:
            assert stack, "an arrow is in a slice"
            assert stack[-1]["ph"] == "X", "and no instant"
            assert stack[-1]["ts"] == e["ts"], "which begins there"
            assert e["ph"] == "s" or e["bp"] == "e", "and not in the next one"
            assert e["cat"], "arrows are known by category, name and id"
            flows[e["id"]] += e["ph"]
    assert set(flows.values()) <= {"sf", "stf"}, "an arrow begins once and ends once"
    assert all(
        any("thread" in what for what in names) or any("process" in what for what in names) for names in named.values()
    )
    return events


def _is_over(slice_: Event, new: Event) -> bool:
    """Slices hold their begin and not their end, but those of no length lie upon each other."""
    end = slice_["ts"] + slice_["dur"]
    return bool(end < new["ts"] or (end == new["ts"] and (slice_["dur"] or new["dur"])))


def told(w: World, p: Policy, seed: int = 1) -> tuple[Result, Tables]:
    r = run(w, p, seed, rehearse(w, [p], seed, outcomes(w)))
    joins = isinstance(w.cloud.batching, ContinuousBatching)
    return r, Tables(r.requests, detour_table(r.detours), shift_table(r.shifts, r.slow), r.series, joins)


def tracks(found: list[Event]) -> dict[str, list[Event]]:
    names = {e["tid"]: e["args"]["name"] for e in found if e["name"] == "thread_name"}
    by_name: dict[str, list[Event]] = {name: [] for name in names.values()}
    for e in found:
        if e["ph"] in "Xstfi":
            by_name[names[e["tid"]]].append(e)
    return by_name


def covered(slices: list[Event]) -> int:
    """Microseconds in which there is any of them."""
    until, total = 0, 0
    for e in sorted(slices, key=lambda e: e["ts"]):
        total += max(e["ts"] + e["dur"] - max(e["ts"], until), 0)
        until = max(until, e["ts"] + e["dur"])
    return total


@given(rough_worlds(), POLICIES, st.integers(0, 3), st.integers(0, 6))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_trace_obeys_the_format_and_tells_the_tables(w: World, p: Policy, seed: int, devices: int) -> None:
    r, tables = told(w, p, seed)
    found = check(events(tables, devices))
    by_name = tracks(found)
    work = [e for name, track in by_name.items() if name.startswith("replica") for e in track if e["ph"] == "X"]
    work = [e for e in work if "batch_size" in e["args"]]
    lanes: dict[str, list[Event]] = defaultdict(list)
    for name, track in by_name.items():
        if name.startswith("replica") and not name.endswith(("state", "brown-outs")):
            lanes[name.split(" lane")[0]] += [e for e in track if e["ph"] == "X"]
    busy = sum(map(covered, lanes.values()))
    assert busy == pytest.approx(1e6 * r.busy_s, abs=len(work) + 1), "replicas work on the trace as long as they did"
    if not tables.continuous:
        assert not any("lane" in name for name in by_name), "who works on one batch at a time has one lane"
    q = r.requests
    followed = {int(name.split()[1]) for name in by_name if name.startswith("device")}
    assert len(followed) == min(devices, q["device"].nunique())
    own = q[q["device"].isin(followed)]
    attempts = [e for e in found if e["ph"] == "X" and e["pid"] == DEVICES and "attempt" in e["args"]]
    assert sorted(e["name"] for e in attempts) == sorted(own["status"])
    assert sum(e["dur"] for e in attempts) == pytest.approx(
        1e6 * (own["settled_s"] - own["sent_s"]).sum(), abs=len(own) + 1
    )
    starts = [e["id"] for e in found if e["ph"] == "s"]
    assert starts == own.index[own["started_s"].notna()].tolist(), "an arrow from each that was worked on"


def test_what_befell_replicas_is_seen() -> None:
    w = world(
        steps=[30] * 6,
        pace={"kind": "drawn", "think_time_s": 0.2, "session_length": 5, "pause_s": 1, "start_spread_s": 0.0},
        cloud={
            "replicas": 2,
            "service": {"milliseconds": {1: 400.0, 4: 400.0}},
            "batching": {"max_size": 4, "max_wait_ms": 0.0},
            "crashes": ({"kind": "scheduled", "replica": 0, "from_s": 1.0, "until_s": 2.5},),
            "brownouts": (
                {"kind": "scheduled", "replica": 1, "from_s": 0.5, "until_s": 1.5, "slowdown": 2.0},
                {"kind": "scheduled", "replica": 1, "from_s": 1.2, "until_s": 1.8, "slowdown": 3.0},
            ),
        },
    )
    r, tables = told(w, policy("always"))
    by_name = tracks(check(events(tables, 6)))
    down = [(e["ts"], e["dur"]) for e in by_name["replica 0 state"] if e["name"] == "down"]
    assert down == [(1_000_000, 1_500_000)]
    assert [(e["ts"], e["dur"]) for e in by_name["replica 1 brown-outs"]] == [(500_000, 1_300_000)]
    lost = [e for e in by_name["replica 0"] if "lost" in e["args"]]
    assert len(r.detours["number"]) > 0
    assert [e["ts"] + e["dur"] for e in lost] == [1_000_000]
    assert lost[0]["name"] == f"batch of {len(r.detours['number'])}"


def test_requests_that_are_worked_on_side_by_side_have_lanes() -> None:
    w = world(
        steps=[10] * 8,
        pace={"kind": "drawn", "think_time_s": 0.05, "session_length": 5, "pause_s": 1, "start_spread_s": 0.0},
        cloud={
            "batching": {"kind": "continuous", "slots": 3, "token_budget": 8},
            "service": {"milliseconds": {1: 10.0, 8: 20.0}},
            "tokens": {"prompt": 3, "output": 4},
        },
    )
    _, tables = told(w, policy("always"))
    by_name = tracks(check(events(tables, 2)))
    assert {"replica 0", "replica 0 lane 2", "replica 0 lane 3"} <= set(by_name)
    assert "replica 0 lane 4" not in by_name


def test_counters_are_the_series() -> None:
    r, tables = told(world(), policy("always"))
    found = check(events(tables, 0))
    for name, column in COUNTERS.items():
        values = [e["args"]["value"] for e in found if e["ph"] == "C" and e["name"] == name]
        assert values == pytest.approx([*r.series[column].fillna(0), 0], abs=1e-6)
    assert all(e["pid"] == CLOUD for e in found if e["ph"] == "C")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda e: e.update(ts=e["ts"] + 0.5),
        lambda e: e.update(dur=e["dur"] + 10**9),
        lambda e: e.update(tid=0),
        lambda e: e.update(args={"latency_ms": np.nan}),
        lambda e: e.pop("name"),
        lambda e: e.update(tid=999),
    ],
)
def test_the_check_sees_what_is_wrong(spoil: Any) -> None:
    """What holds of every trace must be able not to hold."""
    _, tables = told(world(pace={"kind": "drawn", "start_spread_s": 0.0}), policy("always"))
    made = events(tables, 3)
    check(made)
    spoil(next(e for e in made if e["ph"] == "X" and e["name"] == "uplink"))
    with pytest.raises((AssertionError, KeyError)):
        check(made)


def test_a_run_without_requests_has_a_trace() -> None:
    _, tables = told(world(), policy("never"))
    assert isinstance(tables.requests, pd.DataFrame)
    found = check(events(tables, 5))
    assert not any(e["ph"] == "s" for e in found)
