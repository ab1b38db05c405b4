"""Interaction times follow the scenario's pace, belong to the device alone, and come out the same in any order."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from worlds import world

from scenarios.errors import ScenarioError
from simulator.clock import SECOND
from simulator.pace import Pace
from simulator.world import World


def times(pace: Pace, device: int) -> list[int]:
    clock, first, end = pace.clock(device)
    return clock[first:end].tolist()


def test_recorded_gaps_are_cut_then_compressed() -> None:
    stamps = [100.0, 100.0, 160.0, 1000.0, 5.0, 6.5]
    pace = {"kind": "recorded", "compression": 10, "longest_gap_s": 300, "start_spread_s": 0}
    made = Pace(world([4, 2], stamps, pace), 0)
    assert times(made, 0) == [0, 0, 6 * SECOND, 36 * SECOND]
    assert times(made, 1) == [0, SECOND * 3 // 20]


def test_a_stream_begins_where_its_replay_does() -> None:
    w = world([2, 2], [0.0, 5.0, 50.0, 57.0], {"kind": "recorded", "start_spread_s": 0})
    later = World(w.pace, w.fleet, w.network, w.cloud, w.users[:1], w.steps[:1], np.array([2]), w.stamps, 20)
    assert times(Pace(later, 0), 0) == [0, 7 * SECOND]


def test_drawn_think_times_and_pauses_are_lognormal() -> None:
    keys = {"think_time_s": 20, "think_time_sigma": 0.8, "session_length": 5, "pause_s": 5e4, "pause_sigma": 0.1}
    made = Pace(world([40_000], None, {"kind": "drawn", **keys}), 3)
    gaps = np.diff(times(made, 0)) / SECOND
    pauses = gaps > 2e4
    assert stats.binomtest(int(pauses.sum()), len(gaps), 1 / 5).pvalue > 0.001
    assert stats.kstest(np.log(gaps[~pauses]), stats.norm(np.log(20), 0.8).cdf).pvalue > 0.001
    assert stats.kstest(np.log(gaps[pauses]), stats.norm(np.log(5e4), 0.1).cdf).pvalue > 0.001


def test_devices_start_evenly_over_the_spread() -> None:
    made = Pace(world([1], None, {"kind": "drawn", "start_spread_s": 100}, {"devices": 20_000}), 1)
    assert stats.kstest(made.starts / SECOND, stats.uniform(0, 100).cdf).pvalue > 0.001


def test_clones_replay_a_stream_on_a_clock_of_their_own() -> None:
    made = Pace(world([30], None, None, {"devices": 2}), 1)
    assert len(times(made, 0)) == len(times(made, 1)) == 30
    assert not set(np.diff(times(made, 0))) & set(np.diff(times(made, 1)))


def test_blocks_do_not_show() -> None:
    """Times of a device are the same whatever was looked at before, and in whatever fleet it lives."""
    small, large = (world([5, 3], None, None, {"devices": n}) for n in (1500, 5000))
    forth, back = Pace(small, 9), Pace(large, 9)
    other = {d: times(back, d) for d in range(1499, -1, -1)}
    assert all(times(forth, d) == other[d] for d in range(1500))
    assert times(forth, 1024)[0] == forth.starts[1024]


def test_times_never_fall() -> None:
    made = Pace(world([50, 50], None, {"kind": "drawn", "think_time_sigma": 3}), 2)
    assert all((np.diff(times(made, d)) >= 0).all() for d in range(2))


def test_streams_of_centuries_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"data\.pace"):
        Pace(world([50], None, {"kind": "drawn", "pause_s": 1e12, "session_length": 1}), 0).clock(0)
