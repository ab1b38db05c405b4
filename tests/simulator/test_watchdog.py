"""A run that gets nowhere ends, and says who waits for what; one that only takes long does not."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from worlds import outcomes, policy, world

import simulator.clock
from simulator.clock import CAPACITY, SECOND, Clock
from simulator.exchange import Exchange
from simulator.rehearse import rehearse
from simulator.request import Request
from simulator.run import Result, run
from simulator.watchdog import StalledError
from simulator.world import World


def result(w: World) -> Result:
    p = policy("always")
    return run(w, p, 1, rehearse(w, [p], 1, outcomes(w)))


def take_in(self: Exchange, request: Request) -> None:
    """Let a request arrive, and no more."""
    request.arrived = self._clock.tick


def test_a_cloud_that_never_serves_is_named_with_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Exchange, "_arrive", take_in)
    with pytest.raises(StalledError) as stalled:
        result(world([3], fleet={"devices": 5, "timeout_s": 1e-3}))
    said = str(stalled.value)
    assert "nothing more happens after" in said
    assert "15 waiting for a replica, or to be rejected (device " in said
    assert said.endswith("; and others)")


def test_a_device_that_oversleeps_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep, calls = Clock.sleep, itertools.count()

    def forget(self: Clock, time: int, device: int, note: int) -> None:
        if next(calls) != 20:
            sleep(self, time, device, note)

    monkeypatch.setattr(Clock, "sleep", forget)
    with pytest.raises(StalledError, match="interactions have not come"):
        result(world([30], fleet={"devices": 2}))


@pytest.mark.parametrize("pause", [0, SECOND])
def test_a_cloud_that_keeps_itself_busy_for_ever_is_stopped(monkeypatch: pytest.MonkeyPatch, pause: int) -> None:
    """It thinks, at one moment or for ever, and never takes the request that waits."""
    monkeypatch.setattr(simulator.clock, "PATIENCE", 1000)

    def think(self: Exchange, request: Request | None) -> None:
        if request is not None:
            take_in(self, request)
        self._clock.at(self._clock.tick + pause, CAPACITY, lambda _: think(self, None))

    monkeypatch.setattr(Exchange, "_arrive", think)
    with pytest.raises(StalledError, match=r"stands still at .* s; 1 waiting for a replica"):
        result(world([2], fleet={"devices": 1}, pace={"kind": "recorded"}))


def test_a_long_silence_is_no_standstill(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fortnight between two interactions, while the cloud looks at itself every second."""
    monkeypatch.setattr(simulator.clock, "PATIENCE", 1000)
    clock_at = Clock.at
    w = world([2, 2], [0.0, 1.2e6, 0.0, 5.0], {"kind": "recorded", "start_spread_s": 0})

    def tick(self: Clock) -> None:
        if not self.over:
            self.meanwhile(self.tick + 60 * SECOND, CAPACITY, lambda _: tick(self))

    started = iter([True])

    def at(self: Clock, *args: Any, **keys: Any) -> Any:
        if next(started, False):
            tick(self)
        return clock_at(self, *args, **keys)

    monkeypatch.setattr(Clock, "at", at)
    assert result(w).duration_s > 1.2e6
