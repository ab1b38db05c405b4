"""Everything of a run but its devices, set up for one world and one seed; the same for both engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scenarios.schema.fleet import Blocking
from scenarios.schema.persistence import NoBreaker, NoRetry
from scenarios.schema.pushes import Pushes as PushesSpec
from simulator.clock import MILLISECOND, Clock, ticks
from simulator.departures import Departures, departures
from simulator.exchange import Exchange
from simulator.network import Network
from simulator.pace import Pace
from simulator.payload import Payload
from simulator.progress import Progress, Tell
from simulator.pushes import Pushes
from simulator.retry import Caller
from simulator.watchdog import Watchdog
from simulator.world import World


@dataclass(frozen=True)
class Stage:
    """caller: what devices send by, where the scenario has retries or breakers. deadline: ticks that a blocking device
    waits, None for asynchronous ones. pushes: None where no new weights come."""

    world: World
    clock: Clock
    pace: Pace
    departures: Departures | None
    network: Network
    exchange: Exchange
    caller: Caller | None
    deadline: int | None
    progress: Progress
    pushes: Pushes | None

    @classmethod
    def of(cls, world: World, seed: int, tell: Tell | None) -> Stage:
        """Set it up."""
        clock, fleet = Clock(), world.fleet
        pace = Pace(world, seed)
        network = Network(world.network, seed, world.devices)
        payload = Payload.of(world.network, world.answer_items, world.parameter_bytes)
        timeout, use_late = max(ticks(fleet.timeout_s), 1), fleet.late_answers == "use"
        exchange = Exchange(clock, network, payload, world.cloud, timeout, seed, world.history, use_late)
        plain = isinstance(fleet.retry, NoRetry) and isinstance(fleet.breaker, NoBreaker)
        waiting = fleet.waiting
        return cls(
            world=world,
            clock=clock,
            pace=pace,
            departures=departures(world, seed, pace.starts),
            network=network,
            exchange=exchange,
            caller=None if plain else Caller(clock, fleet, exchange, seed),
            deadline=max(round(waiting.deadline_ms * MILLISECOND), 1) if isinstance(waiting, Blocking) else None,
            progress=Progress(int(world.lengths.sum()), tell),
            pushes=Pushes(world, fleet.pushes, seed, network, pace) if isinstance(fleet.pushes, PushesSpec) else None,
        )

    def play(self, end: Callable[[], None] | None = None) -> None:
        """Let it all happen, then have the devices end what they still hold. Raises `StalledError`."""
        watchdog = Watchdog(self.clock, self.exchange, self.progress)
        self.clock.play(watchdog.look)
        if end is not None:
            end()
        watchdog.end()
