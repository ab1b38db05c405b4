"""Messages travel and get lost as the scenario says, and meet the same weather whatever was asked before."""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from scipy import stats

from scenarios.schema.access import FARTHEST, LONGEST_TRIP_MS, Access
from scenarios.schema.network import Network as NetworkSpec
from simulator.clock import MILLISECOND, NEVER, SECOND
from simulator.network import Network, classes
from simulator.payload import Payload
from simulator.request import Request

OWNER: Any = None
NO_BYTES: dict[str, Any] = {"uplink_mbps": None, "downlink_mbps": None}


def network(devices: int = 100, **keys: Any) -> Network:
    return Network(NetworkSpec.model_validate(keys), 1, devices)


def request(device: int = 0, step: int = 0, sent: int = 0, attempt: int = 1) -> Request:
    return Request(0, OWNER, device, step, sent, sent, attempt)


def travels(n: Network, device: int = 0, step: int = 0, sent: int = 0, attempt: int = 1) -> tuple[int, int]:
    """Ticks of the way up and down of a request of no bytes, NEVER where it does not arrive."""
    r = request(device, step, sent, attempt)
    up, down = n.up(r, 0), n.down(r, 0, sent)
    return up if up == NEVER else up - sent, down if down == NEVER else down - sent


def trips(**keys: Any) -> np.ndarray[Any, Any]:
    """Round trips in milliseconds."""
    n = network(**keys, **NO_BYTES)
    return np.array([sum(travels(n, d, s)) for d in range(100) for s in range(50)]) / MILLISECOND


def test_round_trips_are_lognormal_about_their_median() -> None:
    found = trips(rtt_ms=60, rtt_sigma=0.6)
    assert stats.kstest(np.log(found), stats.norm(np.log(60), 0.6).cdf).pvalue > 0.001


def test_round_trips_follow_a_table_of_quantiles() -> None:
    found = trips(round_trip={"kind": "quantiles", "milliseconds": {0: 10, 0.5: 40, 1: 500}})
    uniform = np.interp(found, [10, 40, 500], [0, 0.5, 1])
    assert stats.kstest(uniform, stats.uniform.cdf).pvalue > 0.001


def test_a_trace_is_replayed_from_a_place_of_each_device_and_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("time_s,rtt_ms\n5,10\n6,30\n8,70\n")
    n = network(1000, round_trip={"kind": "trace", "path": tmp_path / "t.csv"}, **NO_BYTES)
    seen = [[sum(travels(n, d, 0, s * SECOND)) // MILLISECOND for s in range(10)] for d in range(1000)]
    assert all(row[:5] == row[5:] for row in seen), "it lasts 1 + 2 + 2 seconds"
    assert {tuple(row[:5]) for row in seen} == {
        (10, 30, 30, 70, 70),
        (30, 30, 70, 70, 10),
        (30, 70, 70, 10, 30),
        (70, 70, 10, 30, 30),
        (70, 10, 30, 30, 70),
    }
    at_start = np.array([row[0] for row in seen])
    assert stats.chisquare([(at_start == rtt).sum() for rtt in (10, 30, 70)], [200, 400, 400]).pvalue > 0.001


def test_a_megabit_is_a_million_bits() -> None:
    n = network(rtt_ms=0, uplink_mbps=8, downlink_mbps=16)
    r = request()
    assert n.up(r, 1000) == MILLISECOND
    assert n.down(r, 1000, 5) == 5 + MILLISECOND // 2
    assert (r.uplink, r.downlink) == (1000, 1000)
    assert network(rtt_ms=0, uplink_mbps=None).up(r, 10**9) == 0


def lost(n: Network, places: list[tuple[int, int]]) -> np.ndarray[Any, Any]:
    return np.array([travels(n, d, s) for d, s in places]) == NEVER


def test_messages_are_lost_at_the_stated_rate_each_way_by_itself() -> None:
    places = [(d, s) for d in range(100) for s in range(100)]
    up, down = lost(network(loss=0.3), places).T
    for gone, share in ((up, 0.3), (down, 0.3), (up & down, 0.09)):
        assert stats.binomtest(int(gone.sum()), len(places), share).pvalue > 0.001
    assert not lost(network(loss=0), places).any()


def test_more_loss_loses_more_and_nothing_else() -> None:
    """Common random numbers: what is lost at 10% is lost at 20%."""
    places = [(d, s) for d in range(100) for s in range(20)]
    some, more = (lost(network(loss=share), places) for share in (0.1, 0.2))
    assert more[some].all()
    assert more.sum() > some.sum()


def test_a_lost_message_is_sent_again_with_doubling_time_outs_until_it_is_given_up() -> None:
    """It arrives after k time-outs with probability loss^k (1 - loss), at timeout (2^k - 1), and weighs k + 1 times."""
    again = {"kind": "backoff", "timeout_ms": 100, "most": 3}
    n = network(rtt_ms=0, loss=0.4, retransmission=again, **NO_BYTES)
    requests = [request(d, s) for d in range(100) for s in range(100)]
    arrivals = np.array([n.up(r, 500) for r in requests])
    times = [*((2**k - 1) * 100 * MILLISECOND for k in range(4)), NEVER]
    counts = [int((arrivals == time).sum()) for time in times]
    expected = [0.6 * 0.4**k for k in range(4)] + [0.4**4]
    assert sum(counts) == len(requests)
    assert stats.chisquare(counts, np.array(expected) * len(requests)).pvalue > 0.001
    for time, weight in zip(times, [500, 1000, 1500, 2000, 2000], strict=True):
        assert {r.uplink for r, at in zip(requests, arrivals.tolist(), strict=True) if at == time} == {weight}


def test_stalls_come_and_last_as_stated() -> None:
    n = network(rtt_ms=0, stalls={"kind": "uniform", "share": 0.2, "from_s": 1, "to_s": 5}, **NO_BYTES)
    up, down = np.array([travels(n, d, s) for d in range(100) for s in range(50)]).T / SECOND
    for ways in (up, down):
        assert stats.binomtest(int((ways > 0).sum()), len(ways), 0.2).pvalue > 0.001
        assert stats.kstest(ways[ways > 0], stats.uniform(1, 4).cdf).pvalue > 0.001


def test_a_device_lacks_its_network_for_the_share_of_time_that_its_means_give() -> None:
    n = network(2000, rtt_ms=0, availability={"kind": "on-off", "on_s": 30, "off_s": 10}, **NO_BYTES)
    for moment in (0, 7, 1000):
        gone = sum(travels(n, d, 0, moment * SECOND)[0] == NEVER for d in range(2000))
        assert stats.binomtest(gone, 2000, 0.25).pvalue > 0.001
    off = np.array([[travels(n, d, 0, s * SECOND)[0] == NEVER for s in range(100)] for d in range(100)])
    changes = (off[:, 1:] != off[:, :-1]).mean()
    both = 2 * 0.25 * 0.75 * (1 - np.exp(-(1 / 30 + 1 / 10)))  # a two-state Markov chain, seen once a second
    assert changes == pytest.approx(both, rel=0.15)


def test_an_outage_takes_its_region_while_it_lasts_and_a_retransmission_outlives_it() -> None:
    outage = {"kind": "scheduled", "region": 1, "from_s": 10, "until_s": 12}
    plain = network(600, rtt_ms=0, regions=3, outages=[outage], **NO_BYTES)
    down = np.array([[travels(plain, d, 0, s * SECOND)[0] == NEVER for s in (9, 10, 11, 12)] for d in range(600)])
    assert not down[:, [0, 3]].any()
    assert (down[:, 1] == down[:, 2]).all()
    assert stats.binomtest(int(down[:, 1].sum()), 600, 1 / 3).pvalue > 0.001
    again = {"kind": "backoff", "timeout_ms": 1000, "most": 2}
    patient = network(600, rtt_ms=0, regions=3, outages=[outage], retransmission=again, **NO_BYTES)
    delays = [travels(patient, d, 0, 10 * SECOND)[0] for d in range(600)]
    assert [delay == 3 * SECOND for delay in delays] == down[:, 1].tolist(), "sent at 10, 11 and 13 s"


def test_a_region_fails_as_one() -> None:
    n = network(300, rtt_ms=0, regions=4, outages=[{"kind": "drawn", "between_s": 20, "length_s": 20}], **NO_BYTES)
    weather = [tuple(travels(n, d, 0, s * SECOND)[0] == NEVER for s in range(200)) for d in range(300)]
    patterns = set(weather)
    assert len(patterns) == 4 == len(set(zip(weather, n.regions.tolist(), strict=True)))
    assert np.mean(list(patterns)) == pytest.approx(0.5, abs=0.15)


def test_the_weather_is_the_same_in_whatever_order_one_looks() -> None:
    keys = {"availability": {"kind": "on-off", "on_s": 3, "off_s": 1}, "loss": 0.1, "rtt_sigma": 1, "regions": 2}
    keys["outages"] = [{"kind": "drawn", "between_s": 20, "length_s": 5}]
    places = [(d, s, s * SECOND) for d in range(30) for s in range(30)]
    forth, back = network(**keys), network(**keys)
    there = {place: travels(forth, *place) for place in places}
    assert all(travels(back, *place) == there[place] for place in reversed(places))


def test_another_attempt_and_another_way_are_other_draws() -> None:
    n = network(rtt_sigma=0, loss=0.5)
    first, second = (np.array([travels(n, d, 7, 0, attempt) for d in range(100)]) == NEVER for attempt in (1, 2))
    assert (first != second).any()
    assert (first[:, 0] != first[:, 1]).any()


def test_classes_are_mixed_by_share_and_the_rest_is_the_networks_own() -> None:
    mix = [{"kind": "wifi", "share": 0.5}, {"kind": "own", "share": 0.2, "rtt_ms": 7, "rtt_sigma": 0}]
    n = network(10_000, rtt_ms=3, rtt_sigma=0, mix=mix, **NO_BYTES)
    shares = np.bincount(n.classes, minlength=3)
    assert stats.chisquare(shares, [5000, 2000, 3000]).pvalue > 0.001
    for kind, rtt in ((1, 7), (2, 3)):
        device = int(np.flatnonzero(n.classes == kind)[0])
        assert sum(travels(n, device)) == rtt * MILLISECOND
    assert (network(4000, mix=[{"kind": "wifi", "share": 1 / 3}] * 3).classes < 3).all()
    assert (classes(1, "access", [0.2] * 5, 100_000) < 5).all()


def test_a_device_keeps_its_class_in_a_larger_fleet() -> None:
    small, large = (network(n, mix=[{"kind": "wifi", "share": 0.5}]).classes for n in (100, 1000))
    assert (small == large[:100]).all()


def test_payload_is_counted_from_content() -> None:
    payload = Payload.of(NetworkSpec(request_header_bytes=400, answer_header_bytes=200), 50)
    assert [payload.request(new) for new in (-1, 0, 3)] == [400, 400, 412]
    assert (payload.answer, payload.rejection) == (500, 200)


@pytest.mark.parametrize("rtt_ms", [1e-3, 60.0, 1e5, 1e11])
def test_the_longest_round_trip_that_a_scenario_may_have_fits_the_clock(rtt_ms: float) -> None:
    """Both ways of it, at the draw that lies farthest out; what is wider is refused."""
    sigma = np.log(LONGEST_TRIP_MS / rtt_ms) / FARTHEST
    assert NormalDist().inv_cdf(1 - 2.0**-53) < FARTHEST
    assert 2 * Access(rtt_ms=rtt_ms, rtt_sigma=sigma * 0.9999).rtt_ms * np.exp(FARTHEST * sigma) * MILLISECOND < 2**63
    with pytest.raises(ValueError, match="expected an rtt_sigma of at most"):
        Access(rtt_ms=rtt_ms, rtt_sigma=sigma * 1.0001)
