"""The network's delays have the distribution that the scenario states, and belong to (device, step)."""

from __future__ import annotations

import numpy as np
from scipy import stats

from scenarios.schema.network import Network as NetworkSpec
from simulator.clock import MILLISECOND
from simulator.network import Network
from simulator.payload import Payload


def test_round_trips_are_lognormal_about_their_median() -> None:
    network = Network(NetworkSpec(rtt_ms=60, rtt_sigma=0.6), 1)
    trips = np.array([2 * network.one_way(d, s) for d in range(100) for s in range(50)]) / MILLISECOND
    assert stats.kstest(np.log(trips), stats.norm(np.log(60), 0.6).cdf).pvalue > 0.001


def test_a_megabit_is_a_million_bits() -> None:
    network = Network(NetworkSpec(uplink_mbps=8, downlink_mbps=16), 1)
    assert network.uplink(1000) == MILLISECOND
    assert network.downlink(1000) == MILLISECOND // 2
    assert Network(NetworkSpec(uplink_mbps=None), 1).uplink(10**9) == 0


def test_messages_are_lost_at_the_stated_rate_each_way_by_itself() -> None:
    network = Network(NetworkSpec(loss=0.3), 1)
    places = [(d, s) for d in range(100) for s in range(100)]
    up = np.array([network.loses_request(d, s) for d, s in places])
    down = np.array([network.loses_answer(d, s) for d, s in places])
    for lost, share in ((up, 0.3), (down, 0.3), (up & down, 0.09)):
        assert stats.binomtest(int(lost.sum()), len(places), share).pvalue > 0.001
    assert not Network(NetworkSpec(loss=0), 1).loses_answer(0, 0)


def test_more_loss_loses_more_and_nothing_else() -> None:
    """Common random numbers: what is lost at 10% is lost at 20%."""
    some, more = (Network(NetworkSpec(loss=share), 1) for share in (0.1, 0.2))
    assert all(more.loses_request(d, 0) for d in range(1000) if some.loses_request(d, 0))


def test_payload_is_counted_from_content() -> None:
    payload = Payload.of(NetworkSpec(request_header_bytes=400, answer_header_bytes=200), 50)
    assert [payload.request(new) for new in (-1, 0, 3)] == [400, 400, 412]
    assert (payload.answer, payload.rejection) == (500, 200)
