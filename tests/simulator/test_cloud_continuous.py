"""Continuous batching in strides is the loop over single iterations, to the tick."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from serving import serve

from simulator.clock import MILLISECOND


def iterate(
    arrivals_ms: list[float], prompts: list[int], outputs: int, slots: int, budget: int, table: dict[int, float]
) -> list[tuple[int, int]]:
    """(start, end) of each request on one replica, by a plain loop: every pass of it is one iteration."""
    time, arrivals = 0, [round(t * MILLISECOND) for t in arrivals_ms]
    waiting = sorted(range(len(arrivals)), key=lambda i: (arrivals[i], i))
    unread, unwritten = dict(enumerate(prompts)), dict.fromkeys(range(len(arrivals)), outputs)
    inside: list[int] = []
    start, end = [-1] * len(arrivals), [-1] * len(arrivals)
    while waiting or inside:
        here = [i for i in waiting if arrivals[i] < time]  # an iteration ends before what arrives at that moment
        if not inside and not here:
            time = max(time, arrivals[waiting[0]])
            here = [waiting[0]]  # an idle replica begins with the first that comes, before others of the same moment
        for i in here[: slots - len(inside)]:
            waiting.remove(i)
            inside.append(i)
            start[i] = time
        writing = [i for i in inside if not unread[i]]
        left = budget - len(writing)
        tokens = len(writing)
        read = []
        for i in (i for i in inside if unread[i]):
            take = min(unread[i], left)
            left -= take
            tokens += take
            unread[i] -= take
            if take and not unread[i]:
                read.append(i)
        time += round(table[tokens] * MILLISECOND)
        for i in writing + read:
            unwritten[i] -= 1
        for i in [i for i in inside if not unwritten[i]]:
            inside.remove(i)
            end[i] = time
    return list(zip(start, end, strict=True))


@given(
    st.lists(st.sampled_from([0.0, 0.3, 1.0, 2.0, 5.0, 5.5, 7.0, 40.0]), min_size=1, max_size=12).map(sorted),
    st.data(),
    st.integers(1, 4),
    st.integers(0, 5),
    st.integers(1, 6),
    st.sampled_from(
        [[1.0] * 12, [float(n) for n in range(1, 13)], [2.0, 2.0, 2.0, 3.0, *(1.5 * n for n in range(3, 11))]]
    ),
)
@settings(max_examples=400, deadline=None)
def test_strides_are_iterations(
    arrivals: list[float], data: st.DataObject, slots: int, more: int, output: int, times: list[float]
) -> None:
    steps = data.draw(st.lists(st.integers(0, 9), min_size=len(arrivals), max_size=len(arrivals)))
    table = {tokens + 1: time for tokens, time in enumerate(times)}
    budget = slots + more
    got = serve(_cloud(slots, budget, output, table), arrivals, steps=steps)
    expected = iterate(arrivals, steps, output, slots, budget, table)
    assert [(r.started, r.finished) for r in got.requests] == expected
    assert got.accounts.busy == (_union(expected),)


def _cloud(slots: int, budget: int, output: int, table: dict[int, float]) -> dict[str, Any]:
    return {
        "queue_limit": None,
        "batching": {"kind": "continuous", "slots": slots, "token_budget": budget},
        "service": {"milliseconds": table},
        "tokens": {"prompt": 0, "prompt_per_item": 1, "output": output},
    }


def _union(intervals: list[tuple[int, int]]) -> int:
    total, reach = 0, -1
    for begin, end in sorted(intervals):
        total += max(end - max(begin, reach), 0)
        reach = max(reach, end)
    return total


def test_a_prompt_longer_than_the_budget_is_read_in_chunks_and_holds_nobody_up() -> None:
    """Budget 4, one writer: chunks of 3 tokens beside its single ones, each iteration 1 ms."""
    got = serve(_cloud(2, 4, 5, {1: 1, 4: 1}), [0, 0.5], steps=[0, 7])
    assert got.times("finished") == [5, 1 + 3 + 4]


def test_slots_bound_who_is_in_work() -> None:
    got = serve(_cloud(2, 2, 3, {1: 1, 2: 1}), [0, 0.1, 0.2], steps=[0, 0, 0])
    assert got.times("started") == [0, 1, 3]
    assert [r.batch_size for r in got.requests] == [1, 2, 2]


def test_a_full_service_rejects() -> None:
    keys = {**_cloud(1, 1, 2, {1: 1}), "queue_limit": 1}
    got = serve(keys, [0, 0.1, 0.2, 1.5])
    assert got.times("left") == [-1, -1, 0.2, 1.5]
    assert got.times("finished") == [2, 4, -1, -1]
