"""Refreshed weights come when network and schedule say, are shown by from then on, and know nothing of the future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from worlds import HashModels, mixed, outcomes, policy, world

from scenarios.schema.pushes import OwnNetwork, Pushes, Unmetered
from simulator.clock import SECOND
from simulator.network import Network
from simulator.pace import Pace
from simulator.pushes import AFTER_ALL, arrivals, learned_from
from simulator.pushes import Pushes as Arriving
from simulator.rehearse import rehearse
from simulator.run import Result, run, run_live
from simulator.world import World

PACE = {"kind": "drawn", "think_time_s": 1.0, "session_length": 5, "pause_s": 2, "start_spread_s": 1.0}


def pushed(spec: Pushes, network: dict[str, object] | None = None, devices: int = 12, size: int = 125_000) -> World:
    plain = {"rtt_ms": 0, "rtt_sigma": 0.0, "uplink_mbps": None, "downlink_mbps": None}
    made = world([40, 30, 50], pace=PACE, fleet={"devices": devices}, network={**plain, **(network or {})})
    return replace(made, fleet=made.fleet.model_copy(update={"pushes": spec}), push_bytes=size)


def there(w: World, seed: int = 1) -> np.ndarray:
    assert isinstance(w.fleet.pushes, Pushes)
    return arrivals(w, w.fleet.pushes, seed, Network(w.network, seed, w.devices))


def result(w: World, kind: str = "periodic", seed: int = 1, **keys: object) -> Result:
    rule = policy(kind, **keys)
    return run(w, rule, seed, rehearse(w, [rule], seed, outcomes(w)))


def test_a_smooth_network_takes_half_a_round_trip_and_the_bytes_over_its_bandwidth() -> None:
    w = pushed(Pushes(first_s=3, every_s=10, count=2, spread_s=0), {"rtt_ms": 100, "downlink_mbps": 2})
    assert there(w).tolist() == [[round(3.55 * SECOND), round(13.55 * SECOND)]] * 12  # 50 ms and a megabit


def test_a_download_that_is_lost_is_made_again() -> None:
    lossy = {"loss": 0.6}
    w = pushed(Pushes(first_s=0, spread_s=0, over=OwnNetwork(again_s=7)), lossy, devices=3000)
    tries = there(w)[:, 0] / (7 * SECOND)
    assert (tries == np.rint(tries)).all()
    assert np.mean(tries == 0) == pytest.approx(0.4, abs=0.03)
    assert np.mean(tries == 1) == pytest.approx(0.24, abs=0.03)


def test_off_its_own_network_a_device_waits_and_downloads() -> None:
    w = pushed(Pushes(first_s=5, spread_s=0, over=Unmetered(wait_s=100, downlink_mbps=1)), devices=4000)
    waits = there(w)[:, 0] / SECOND - 6
    assert waits.min() >= 0
    assert waits.mean() == pytest.approx(100, rel=0.05)
    assert np.median(waits) == pytest.approx(100 * np.log(2), rel=0.08)


def test_a_version_is_never_there_after_a_newer_one() -> None:
    spec = Pushes(every_s=5, count=4, spread_s=30, over=Unmetered(wait_s=20))
    made = there(pushed(spec, devices=500))
    assert (np.diff(made, axis=1) >= 0).all()
    assert (np.diff(made, axis=1) == 0).any(), "some came out of order"


@pytest.mark.parametrize("waiting", ["asynchronous", "blocking"])
def test_each_interaction_is_shown_by_the_version_that_is_there_when_it_begins(waiting: str) -> None:
    w = pushed(Pushes(first_s=5, every_s=20, count=3, spread_s=15), {"rtt_ms": 300})
    w = replace(w, fleet=type(w.fleet).model_validate(w.fleet.model_dump() | {"waiting": {"kind": waiting}}))
    rule = policy("footrule", threshold=5.0)
    made = run(w, rule, 1, rehearse(w, [rule], 1, outcomes(w)))
    live = run_live(w, rule, 1, HashModels())
    assert made.requests.equals(live.requests)
    assert made.devices.equals(live.devices)
    plain = result(
        replace(w, fleet=w.fleet.model_copy(update={"pushes": type(w.fleet)().pushes})), "footrule", threshold=5.0
    )
    assert not made.devices["ndcg_at_10"].equals(plain.devices["ndcg_at_10"])


def test_what_devices_show_alone_changes_at_the_arrival_and_nowhere_else() -> None:
    w = pushed(Pushes(first_s=20, spread_s=40))
    live = run_live(w, policy("never"), 1, HashModels())
    pace, when = Pace(w, 1), there(w)[:, 0]
    assert live.ranks is not None
    versions = []
    for device in range(w.devices):
        times, first, end = pace.clock(device)
        versions += [int(times[i] >= when[device]) for i in range(first, end)]
    users = np.repeat(w.device_users, w.lengths) + np.array(versions) * w.all_users
    steps = np.concatenate([np.arange(n) for n in w.lengths])
    expected = mixed(users, -1, steps) % np.uint64(21)
    assert (live.ranks == expected.astype(np.int64)).all()
    assert 0 < sum(versions) < len(versions)


def test_a_version_is_there_from_its_moment_on() -> None:
    """Also for an interaction that begins at that very moment, asked of one by one or in runs."""
    spec = Pushes(count=2)
    w = pushed(spec)
    pace = Pace(w, 1)
    made = Arriving(w, spec, 1, Network(w.network, 1, w.devices), pace)
    times, first, end = pace.clock(4)
    user, arrivals_of = int(w.device_users[4]), [times[first + 3], times[first + 9]]
    made._arrivals[4] = arrivals_of
    assert made.runs(4, 0, end - first) == [
        (user, 0, 3),
        (user + w.all_users, 3, 9),
        (user + 2 * w.all_users, 9, end - first),
    ]
    told = [(made.user(4, at - 1) - user, made.user(4, at) - user) for at in arrivals_of]
    assert told == [(0, w.all_users), (w.all_users, 2 * w.all_users)]


def test_bytes_are_those_of_the_versions_that_came() -> None:
    w = pushed(Pushes(first_s=1, every_s=1e7, count=2, spread_s=0))
    made = result(w, every=5)
    assert (made.devices["push_bytes"] == 125_000).all()
    assert (
        "push_bytes"
        not in result(replace(w, fleet=w.fleet.model_copy(update={"pushes": type(w.fleet)().pushes})), every=5).devices
    )


def test_downloading_costs_the_radio_energy_unless_the_network_is_another() -> None:
    radio = {"radio": {"kind": "lte"}, "downlink_mbps": 1}
    joules = {}
    for name, over in (("own", OwnNetwork()), ("other", Unmetered(wait_s=0, downlink_mbps=1))):
        joules[name] = result(pushed(Pushes(first_s=1, spread_s=0, over=over), radio), "never").devices["radio_j"]
    assert (joules["own"] > 1).all(), "a megabit at 1 Mbit/s, and the tail"
    assert (joules["other"] == 0).all()


def test_what_a_version_learns_from_was_lived_through_by_every_clone_under_every_seed() -> None:
    spec = Pushes(first_s=30, every_s=20, count=3, making_s=5)
    w = pushed(spec, devices=12)
    seeds = [1, 2, 3]
    known = learned_from(w, spec, seeds)
    for version, least in enumerate(known):
        made = (30 + 20 * version - 5) * SECOND
        for user in range(3):
            lived = []
            for seed in seeds:
                for device in range(user, 12, 3):
                    times, first, end = Pace(w, seed).clock(device)
                    lived.append(sum(time < made for time in times[first:end]))
            assert least[user] == min(lived)
    assert (known[1] >= known[0]).all()
    assert known[2].sum() > known[0].sum() > 0
    assert (there(w)[:, 0] < AFTER_ALL).all()
