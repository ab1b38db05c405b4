"""The calendar tells nobody how it is kept: everything happens in one order, however far ahead it was set."""

from __future__ import annotations

from typing import NamedTuple
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from simulator.clock import GIVE_UP, INTERACTION, LEAVE, PAGE, Clock
from simulator.outcomes import IntArray
from simulator.row import Row

TIMES = st.integers(0, 3) | st.integers(0, 1 << (PAGE + 2))
ENTRIES = st.lists(st.tuples(TIMES, st.integers(0, 3)), max_size=40)


@given(ENTRIES, ENTRIES, st.sampled_from([(64, 1 << 13), (10**9, 10**9), (0, 0), (2, 3)]))
def test_all_happens_in_the_order_of_time_priority_and_setting(
    first: list[tuple[int, int]], then: list[tuple[int, int]], sizes: tuple[int, int]
) -> None:
    """By time, priority and setting; half of it is set while the clock runs, and pages change their length."""
    with patch.multiple("simulator.clock", FEW=sizes[0], MANY=sizes[1], CHUNK=3):
        _in_order(first, then)


def _in_order(first: list[tuple[int, int]], then: list[tuple[int, int]]) -> None:
    clock, later = Clock(), list(then)
    seen: list[tuple[int, int, int]] = []

    def happen(what: tuple[int, int]) -> None:
        seen.append((clock.tick, *what))
        if later:
            ahead, priority = later.pop()
            clock.at(clock.tick + ahead + 1, priority, happen, (priority, len(first) + len(then) - len(later)))

    for number, (time, priority) in enumerate(first):
        clock.at(time, priority, happen, (priority, number))
    clock.play(lambda: None)
    assert seen == sorted(seen)
    assert len(seen) == (len(first) + len(then) if first else 0)
    assert clock.over


SLEEPS = st.lists(st.tuples(TIMES, st.integers(0, 3), st.booleans()), max_size=40)


@given(SLEEPS, SLEEPS, st.sampled_from([(64, 1 << 13), (10**9, 10**9), (0, 0), (2, 3)]))
def test_who_sleeps_wakes_in_the_order_of_devices_after_all_else(
    first: list[tuple[int, int, bool]], then: list[tuple[int, int, bool]], sizes: tuple[int, int]
) -> None:
    """Sleepers are kept apart from all else that is set, and nobody can tell; none is lost while pages change."""
    clock, later = Clock(), list(then)
    seen: list[tuple[int, int]] = []

    asleep = 0

    def happen(priority: int) -> None:
        seen.append((clock.tick, priority))
        if later:
            put(clock.tick + 1, *later.pop())
        assert clock.expects([INTERACTION]) == (asleep > 0)

    class Sleeper(NamedTuple):
        time: int
        device: int
        note: int

        def ask(self) -> None:
            nonlocal asleep
            asleep -= 1
            assert (self.time, self.note) == (clock.tick, -self.device)
            happen(INTERACTION + self.device)

    class Sleepers:
        one = Sleeper

        def fetch(self, times: IntArray, devices: IntArray, notes: IntArray) -> list[Sleeper]:
            return list(map(Sleeper, times.tolist(), devices.tolist(), notes.tolist()))

    def put(now: int, ahead: int, device: int, sleeps: bool) -> None:
        nonlocal asleep
        if sleeps:
            asleep += 1
            clock.sleep(now + ahead, device, -device)
        else:
            priority = (GIVE_UP, LEAVE)[device % 2] + device
            clock.at(now + ahead, priority, happen, priority)

    clock.sleepers = Sleepers()
    with patch.multiple("simulator.clock", FEW=sizes[0], MANY=sizes[1], CHUNK=3):
        for each in first:
            put(0, *each)
        clock.play(lambda: None)
    assert seen == sorted(seen)
    assert len(seen) == clock.moments == (len(first) + len(then) if first else 0)
    assert clock.over


@given(st.lists(st.tuples(st.integers(0, 1 << 33), st.integers(0, 9), st.booleans()), min_size=1, max_size=30))
def test_a_row_is_as_good_as_moments_set_one_by_one(sent: list[tuple[int, int, bool]]) -> None:
    """Those that matter happen in the same order, and the run ends with the last, whether it matters or not."""

    def play(in_a_row: bool) -> tuple[list[tuple[int, int]], int]:
        clock = Clock()
        seen: list[tuple[int, int]] = []

        def happen(number: int) -> None:
            if sent[number][2]:
                seen.append((clock.tick, number))

        row = Row(clock, happen, lambda number: sent[number][2])

        def send(number: int) -> None:
            if in_a_row:
                row.add(clock.tick + 1000, sent[number][1], number)
            else:
                clock.at(clock.tick + 1000, sent[number][1], happen, number)

        for number, (time, _, _) in enumerate(sent):
            clock.at(time, 10, send, number)
        clock.play(lambda: None)
        return seen, clock.tick

    assert play(True) == play(False)


def test_a_moment_that_goes_on_beside_all_else_keeps_nothing_going() -> None:
    clock = Clock()
    told: list[bool] = []
    clock.meanwhile(5, 0, lambda _: told.append(clock.over))
    clock.at(1 << (PAGE + 1), 0, lambda _: None)
    clock.meanwhile(1 << (PAGE + 2), 0, lambda _: told.append(clock.over))
    clock.play(lambda: None)
    assert told == [False, True]
