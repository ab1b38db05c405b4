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
        Pace(world([50], None, {"kind": "drawn", "pause_s": 1e8, "pause_sigma": 3.0, "session_length": 1}), 0).clock(0)


def test_sessions_start_as_often_as_the_hour_says_and_pauses_keep_their_mean() -> None:
    """With exponential-like pauses seen through the cycle, starts have density 1 + depth cos(angle from the peak)."""
    keys = {"session_length": 1, "pause_s": 3000, "pause_sigma": 1.0, "start_spread_s": 86400}
    cycled, even = (
        Pace(world([400], None, {"kind": "drawn", "daily_cycle": depth, **keys}, {"devices": 100}), 5)
        for depth in (0.8, 0.0)
    )
    starts = np.concatenate([times(cycled, d)[100:] for d in range(100)]) / SECOND  # long after the common start
    angle = 2 * np.pi * starts / 86400
    assert np.cos(angle).mean() == pytest.approx(0.8 / 2, abs=0.03)
    assert np.sin(angle).mean() == pytest.approx(0, abs=0.03)
    total = [sum(times(pace, d)[-1] - times(pace, d)[0] for d in range(100)) for pace in (cycled, even)]
    assert total[0] == pytest.approx(total[1], rel=0.02)


def test_the_cycle_leaves_what_happens_inside_a_session_as_it_is() -> None:
    keys = {"session_length": 5, "pause_s": 5e4, "pause_sigma": 0.1, "think_time_s": 20}
    cycled, even = (
        np.diff(times(Pace(world([3000], None, {"kind": "drawn", "daily_cycle": depth, **keys}), 3), 0))
        for depth in (1.0, 0.0)
    )
    inside = even < 4000 * SECOND
    assert np.abs(cycled - even)[inside].max() <= 1000  # rounded to microseconds at times of years
    assert (np.abs(cycled - even)[~inside] > SECOND).mean() > 0.99
    assert (cycled >= 0).all()


def test_starts_are_spread_by_the_cycle() -> None:
    keys = {"kind": "drawn", "daily_cycle": 1.0, "start_spread_s": 86400}
    starts = Pace(world([1], None, keys, {"devices": 20_000}), 1).starts / SECOND
    share = starts / 86400
    assert stats.kstest(share, lambda x: x + np.sin(2 * np.pi * x) / (2 * np.pi)).pvalue > 0.001


def test_what_a_device_computes_comes_on_top_of_every_interaction() -> None:
    hardware = [{"share": 1, "srm_ms": 250, "srm_sigma": 0}]
    quick, slow = (Pace(world([30], None, None, {"devices": 3, **keys}), 1) for keys in ({}, {"hardware": hardware}))
    for d in range(3):
        assert (np.array(times(slow, d)) - times(quick, d) == (np.arange(30) + 1) * SECOND // 4).all()
    assert slow.joules(np.array([4, 0, 30])).tolist() == [2, 0, 15]
    assert quick.joules(np.array([4, 0, 30])).tolist() == [0, 0, 0]


def test_what_a_device_learns_comes_on_top_where_it_learns() -> None:
    """4 steps of 25 items, 2.5 ms for each, before interactions 0, 7, 14, ...; a slow device is slow at that too."""
    adaptation = {"kind": "bias", "every": 7, "steps": 4, "window": 25}
    hardware = [{"share": 1, "srm_ms": 250, "srm_sigma": 0, "adaptation_ms": 2.5, "watts": 2}]
    fleets = ({"hardware": hardware}, {"hardware": hardware, "adaptation": adaptation})
    plain, learning = (Pace(world([30], None, None, {"devices": 3, **keys}), 1) for keys in fleets)
    for d in range(3):
        assert (np.array(times(learning, d)) - times(plain, d) == (np.arange(30) // 7 + 1) * SECOND // 4).all()
    lived = np.array([7, 0, 30])
    assert (learning.joules(lived) - plain.joules(lived)).tolist() == [0.5, 0, 2.5]
    uneven = [{**hardware[0], "srm_sigma": 0.6}]
    one, other = (Pace(world([30], None, None, {**keys, "hardware": uneven}), 1) for keys in ({}, fleets[1]))
    ratio = (other.starts - one.starts) / (one.starts - Pace(world([30]), 1).starts)
    assert ratio == pytest.approx(1, abs=1e-6)


SURGES = ({"from_s": 1000, "until_s": 2000, "factor": 5}, {"from_s": 1500, "until_s": 3000, "factor": 0.5})


def rate(at: np.ndarray) -> np.ndarray:
    """How often sessions begin under `SURGES`, as a multiple of how often without."""
    return np.where((at >= 1000) & (at < 2000), 5.0, 1.0) * np.where((at >= 1500) & (at < 3000), 0.5, 1.0)


def covered(at: float) -> float:
    """The integral of `rate`, by its definition."""
    return float(np.interp(at, [0, 1000, 1500, 2000, 3000, 99_000], np.cumsum([0, 1000, 2500, 1250, 500, 96_000])))


def test_in_a_surge_devices_start_as_much_more_often_as_it_says() -> None:
    keys = {"kind": "drawn", "start_spread_s": 4000, "surges": SURGES}
    starts = Pace(world([1], None, keys, {"devices": 20_000}), 1).starts / SECOND
    assert stats.kstest([covered(at) / covered(4000) for at in starts], "uniform").pvalue > 0.001


def test_in_a_surge_later_sessions_begin_as_much_more_often_as_it_says() -> None:
    """Long before and long after the sessions' clocks run as without it; in it each pause passes at the rate's pace."""
    keys = {"kind": "drawn", "session_length": 1, "pause_s": 50, "start_spread_s": 0}
    with_surges, without = (
        np.array(times(Pace(world([200], None, {**keys, "surges": surges}), 3), 0)) / SECOND for surges in (SURGES, ())
    )
    assert [covered(at) for at in with_surges] == pytest.approx(without.tolist(), abs=1e-6)
    in_surge = (with_surges >= 1000) & (with_surges < 1500)
    assert in_surge.sum() == pytest.approx(5 * 500 / np.diff(without).mean(), rel=0.3)


def test_a_surge_leaves_what_happens_inside_a_session_as_it_is() -> None:
    keys = {
        "kind": "drawn",
        "session_length": 5,
        "pause_s": 500,
        "pause_sigma": 0.1,
        "think_time_s": 0.5,
        "start_spread_s": 0,
    }
    surged, plain = (np.diff(times(Pace(world([400], None, {**keys, "surges": s}), 3), 0)) for s in (SURGES, ()))
    inside = plain < 100 * SECOND
    assert (np.abs(surged - plain)[inside] <= 1000).all()  # rounding of microseconds
    assert (np.abs(surged - plain)[~inside] > SECOND).sum() >= 5


def test_a_surge_goes_with_the_daily_cycle() -> None:
    """Both at once: the density of starts is the product of the two rates."""
    keys = {"kind": "drawn", "daily_cycle": 0.8, "start_spread_s": 43200}
    surge = {"from_s": 20_000, "until_s": 30_000, "factor": 4}
    starts = Pace(world([1], None, {**keys, "surges": [surge]}, {"devices": 20_000}), 1).starts / SECOND
    grid = np.linspace(0, 43200, 43201)
    density = (1 + 0.8 * np.cos(2 * np.pi * grid / 86400)) * np.where((grid >= 20_000) & (grid < 30_000), 4, 1)
    below = np.cumsum(density) / density.sum()
    assert stats.kstest(starts, lambda x: np.interp(x, grid, below)).pvalue > 0.001
