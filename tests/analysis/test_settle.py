"""A point is marked when its queue grows or turns requests away, and never because a stable queue fluctuates."""

import numpy as np
import pytest

from analysis.settle import CRITICAL_GROWTH, settling


def verdicts(single_server, load, n, runs, seed, **more):
    rng = np.random.default_rng(seed)
    return [settling([single_server(load, n, rng, **more)]) for _ in range(runs)]


@pytest.mark.parametrize("load", [0.3, 0.9])
@pytest.mark.parametrize("n", [300, 4000])
def test_a_stable_queue_is_not_flagged(single_server, load, n):
    assert sum(not verdict.settled for verdict in verdicts(single_server, load, n, 30, seed=1)) <= 1


def test_an_overloaded_queue_is_flagged(single_server):
    for verdict in verdicts(single_server, 1.2, 4000, 30, seed=2):
        assert not verdict.settled
        # The backlog rises by 1 - 1/1.2 an arrival; the first and the last third's low points are 2/3 of 2000 apart.
        assert verdict.growth == pytest.approx((1 - 1 / 1.2) * 2000 * 2 / 3, rel=0.6)


def test_a_critically_loaded_queue_is_flagged_one_time_in_twenty(single_server):
    flagged = sum(not verdict.settled for verdict in verdicts(single_server, 1.0, 1000, 200, seed=3))
    assert flagged <= 20  # mean 10, deviation 3


def test_the_critical_growth_is_the_quantile_it_says():
    rng, n = np.random.default_rng(4), 1200
    walk = np.cumsum(rng.normal(0, np.sqrt(1 / n), (8000, n)), axis=1)
    reflected = walk - np.minimum(np.minimum.accumulate(walk, axis=1), 0)
    late = reflected[:, n * 7 // 12 : n * 3 // 4].min(axis=1)
    early = reflected[:, n // 4 : n * 5 // 12].min(axis=1)
    assert np.quantile((late - early) / np.sqrt(0.5), 0.95) == pytest.approx(CRITICAL_GROWTH, abs=0.06)


def test_a_bounded_queue_that_rejects_is_flagged(single_server):
    judged = verdicts(single_server, 1.2, 4000, 20, seed=5, queue_limit=20)
    assert not any(verdict.settled for verdict in judged)
    assert np.mean([verdict.turned_away for verdict in judged]) == pytest.approx(1 - 1 / 1.2, abs=0.03)


def test_a_bounded_queue_that_hardly_rejects_is_settled(single_server):
    assert all(verdict.settled for verdict in verdicts(single_server, 0.7, 4000, 10, seed=6, queue_limit=20))


def test_ramp_up_and_tail_do_not_count(request_log):
    rng = np.random.default_rng(7)
    # Load 2 for the first and the last tenth of the arrivals, 0.5 between them.
    gaps = rng.exponential(np.r_[np.full(500, 0.5), np.full(4000, 2.0), np.full(500, 0.5)])
    service = rng.exponential(1.0, len(gaps))
    arrived, free = np.cumsum(gaps), 0.0
    started = np.empty_like(arrived)
    for i, moment in enumerate(arrived):
        started[i] = max(moment, free)
        free = started[i] + service[i]
    assert settling([request_log(arrived, started, service)]).settled


def test_requests_that_wait_at_the_end_are_backlog_and_not_turned_away(single_server):
    log = single_server(1.5, 3000, np.random.default_rng(8))
    end = log["arrived_s"].max()
    waiting = log["started_s"] > end
    log.loc[waiting, ["started_s", "finished_s", "answered_s"]] = np.nan
    log.loc[waiting, "status"] = "in_flight"
    verdict = settling([log])
    assert not verdict.settled
    assert verdict.turned_away == 0
    assert verdict.growth > verdict.allowed_growth


def test_a_handful_of_requests_tells_nothing(single_server):
    assert settling([single_server(5.0, 60, np.random.default_rng(9))]).settled
    assert settling([single_server(0.5, 60, np.random.default_rng(9)).iloc[:0]]).settled
