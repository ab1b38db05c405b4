"""The live device: a process that wakes at every interaction and calls its models there and then.

The oracle of the sleeping device: same world, same exchange, same draws, one step at a time. It shares with it neither
the look ahead nor the outcomes, so that both agree only if both are right.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from simpy import Event

from simulator.clock import GIVE_UP, INTERACTION, Clock, Moment
from simulator.draws import uniforms
from simulator.exchange import Exchange
from simulator.outcomes import NOTHING, IntArray, LiveModels
from simulator.pace import Pace
from simulator.policies.base import Policy, Sight
from simulator.progress import Progress
from simulator.request import ANSWERED, Request
from simulator.world import World


class LiveFleet:
    """All devices of a run, each a process."""

    def __init__(
        self,
        clock: Clock,
        world: World,
        policy: Policy,
        seed: int,
        models: LiveModels,
        exchange: Exchange,
        deadline: int | None,
        progress: Progress,
    ) -> None:
        self.clock = clock
        self.policy = policy
        self.seed = seed
        self.exchange = exchange
        self.deadline = deadline
        self.progress = progress
        self.pace = Pace(world, seed)
        self.waited: IntArray = np.zeros(world.devices, np.int64)
        """[devices] ticks that each device's user has waited."""
        self.ended = 0
        """Time of the latest interaction."""
        self.devices = [LiveOwner(self, models, d, int(u)) for d, u in enumerate(world.device_users)]
        for device in self.devices:
            clock.process(device.life())

    @property
    def ranks(self) -> IntArray:
        """[interactions] rank at every step, one device after the other."""
        return np.array([rank for device in self.devices for rank in device.ranks], np.int64)


class LiveOwner:
    """One device; an `Owner` of requests."""

    def __init__(self, fleet: LiveFleet, models: LiveModels, device: int, user: int) -> None:
        self._fleet = fleet
        self._device = device
        self._model = models.device(user)
        self._held = NOTHING
        self._asked = -1
        self._in_flight = False
        self._over = False
        self._letter: Request | None = None
        """An answer that came in since the latest interaction."""
        self._fresh: Request | None = None
        """The request whose answer is held, until a step is shown with it."""
        self._news: Event | None = None
        """What a blocking device waits for."""
        self.ranks: list[int] = []

    def life(self) -> Generator[Event, None, None]:
        """From the first interaction to the last."""
        fleet, clock = self._fleet, self._fleet.clock
        times, first, end = fleet.pace.clock(self._device)
        shift = 0
        for step in range(end - first):
            yield clock.at(times[first + step] + shift, INTERACTION + self._device)
            self._take_letter()
            self._model.look(step)
            if not self._in_flight and self._wants(step):
                self._in_flight = True
                self._asked = step
                fleet.exchange.send(self, self._device, step, times[first + step], max(self._held, 0))
                if fleet.deadline is not None:
                    self._news = clock.event()
                    clock.at(clock.tick + fleet.deadline, GIVE_UP + self._device, self._go_on, self._news)
                    yield self._news
                    self._news = None
                    shift = clock.tick - times[first + step]
                    self._take_letter()
            self.ranks.append(self._model.rank())
            fleet.progress.add(1)
            fleet.ended = max(fleet.ended, clock.tick)
            if self._fresh is not None:
                self._fresh.applied = step
                fleet.exchange.close(self._fresh)
                self._fresh = None
        fleet.waited[self._device] = shift
        self._over = True

    def settled(self, request: Request) -> None:
        """Keep an answer for the next interaction, or for the one that waits for it."""
        self._in_flight = False
        if request.status == ANSWERED and not self._over:
            self._letter = request
        else:
            self._fleet.exchange.close(request)
        if self._news is not None and request.step == self._asked:
            self._news.succeed()

    def _go_on(self, moment: Moment) -> None:
        news: Event = moment.subject
        if not news.triggered:
            news.succeed()

    def _take_letter(self) -> None:
        letter, self._letter = self._letter, None
        if letter is None:
            return
        exchange = self._fleet.exchange
        if letter.step <= self._held:
            exchange.close(letter)
            return
        if self._fresh is not None:
            exchange.close(self._fresh)
        self._fresh = letter
        self._held = letter.step
        self._model.hold(letter.step)

    def _wants(self, step: int) -> bool:
        """Whether the policy asks at this step."""
        fleet = self._fleet
        if step == 0 and fleet.policy.opens:
            return True
        steps = np.array([step])
        signals = None
        if self._held != NOTHING:
            signals = {}
            if fleet.policy.signals:
                seen = self._model.signals()
                signals = {name: np.array([seen[name]]) for name in fleet.policy.signals}
        sight = Sight(steps, self._asked, signals, lambda: uniforms(fleet.seed, "coin", self._device, steps))
        return bool(fleet.policy.asks(sight)[0])
