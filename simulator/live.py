"""The live device: a process that wakes at every interaction and calls its models there and then.

The oracle of the sleeping device: same world, same exchange, same draws, one step at a time. It shares with it neither
the look ahead nor the outcomes, so that both agree only if both are right.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator

import numpy as np
from simpy import Event

from simulator.clock import GIVE_UP, INTERACTION, LEAVE
from simulator.departures import Departures
from simulator.diary import Diary
from simulator.draws import uniforms
from simulator.outcomes import NOTHING, FloatArray, IntArray, LiveModels
from simulator.policies.base import Policy, Sight
from simulator.request import ABANDONED, Request
from simulator.retry import Ask
from simulator.stage import Stage


class LiveFleet:
    """All devices of a run, each a process."""

    def __init__(self, stage: Stage, policy: Policy, seed: int, models: LiveModels) -> None:
        world, clock = stage.world, stage.clock
        self.clock = clock
        self.pace = stage.pace
        self.departures = stage.departures
        self.policy = policy
        self.seed = seed
        self.exchange = stage.exchange
        self.caller = stage.caller
        self.deadline = stage.deadline
        self.replaces = world.fleet.flight == "replace"
        self.progress = stage.progress
        self.pushes = stage.pushes
        self.waited: IntArray = np.zeros(world.devices, np.int64)
        """[devices] ticks that each device's user has waited."""
        self.waits = array("q")
        """As the sleeping fleet's."""
        self.held_back: IntArray = np.zeros(world.devices, np.int64)
        """[devices] requests that were wanted while the device's breaker was open."""
        self.ended = 0
        """Time of the latest interaction."""
        self.devices = [LiveOwner(self, models, d, int(u)) for d, u in enumerate(world.device_users)]
        for device in self.devices:
            clock.process(device.life())

    @property
    def lived(self) -> IntArray:
        """[devices] interactions that each device has lived through in the end."""
        return np.array([len(device.ranks) for device in self.devices], np.int64)

    @property
    def ranks(self) -> IntArray:
        """[interactions lived] rank at every step, one device after the other."""
        return np.array([rank for device in self.devices for rank in device.ranks], np.int64)


class LiveOwner:
    """One device; an `Owner` of requests."""

    def __init__(self, fleet: LiveFleet, models: LiveModels, device: int, user: int) -> None:
        self._fleet = fleet
        self._device = device
        self._models, self._user = models, user
        self._model = models.device(user)
        self._held = NOTHING
        self._asked = -1
        self._flight: Request | Ask | None = None
        """What it waits for, or still listens to."""
        self._diary = Diary(fleet.policy, self._moment) if fleet.policy.recalls else None
        self._gone = False
        self._over = False
        self._letter: Request | None = None
        """The newest answer that came in since the latest interaction."""
        self._fresh: Request | None = None
        """The request whose answer is held, until a step is shown with it."""
        self._news: Event | None = None
        """What a blocking device waits for."""
        self.ranks: list[int] = []

    def life(self) -> Generator[Event, None, None]:
        """From the first interaction to the last."""
        fleet, clock = self._fleet, self._fleet.clock
        times, first, end = fleet.pace.clock(self._device)
        if fleet.departures is not None and not self._will_stop(fleet.departures, times[first]):
            fleet.progress.add(end - first)
            return
        shift = 0
        for step in range(end - first):
            yield clock.due(times[first + step] + shift, INTERACTION + self._device)
            if self._has_left():
                break
            self._take_weights()
            self._take_letter()
            self._model.look(step)
            if (self._flight is None or fleet.replaces) and self._wants(step):
                if fleet.caller is not None and not fleet.caller.admits(self._device):
                    fleet.held_back[self._device] += 1
                else:
                    self._ask(step, times[first + step])
                    if fleet.deadline is not None:
                        self._news = clock.event()
                        clock.at(clock.tick + fleet.deadline, GIVE_UP + self._device, self._go_on, self._news)
                        yield self._news
                        self._news = None
                        shift = clock.tick - times[first + step]
                        fleet.waited[self._device] = shift
                        if self._has_left():
                            break
                        fleet.waits.extend((self._device, step, shift))
                        self._take_letter()
            self.ranks.append(self._model.rank())
            fleet.progress.add(1)
            fleet.ended = max(fleet.ended, clock.tick)
            if self._fresh is not None:
                self._fresh.applied = step
                fleet.exchange.close(self._fresh)
                self._fresh = None
        self._end(end - first)

    def _has_left(self) -> bool:
        return self._gone

    def _end(self, steps: int) -> None:
        """The stream is over, or the device has left it; answers are heard from now on, but shown no more."""
        fleet = self._fleet
        fleet.progress.add(steps - len(self.ranks))
        for request in (self._fresh, self._letter):
            if request is not None:
                fleet.exchange.close(request)
        self._fresh = self._letter = None
        self._over = True

    def _ask(self, step: int, intended: int) -> None:
        fleet = self._fleet
        if self._flight is not None:
            self._drop(self._flight, ABANDONED)
        if self._diary is not None:
            if self._diary.memory:
                self._diary.memory = fleet.policy.remember(self._sight(step))
            self._diary.asked = fleet.clock.tick
        self._asked = step
        sender = fleet.exchange if fleet.caller is None else fleet.caller
        self._flight = sender.send(self, self._device, step, intended, max(self._held, 0))

    def _drop(self, flight: Request | Ask, status: int) -> None:
        if isinstance(flight, Request):
            self._fleet.exchange.drop(flight, status)
        else:
            flight.give_up(status)

    def _will_stop(self, departures: Departures, start: int) -> bool:
        """Set the moment at which the device stops; false if it never starts."""
        stop = departures.stops[self._device]
        if stop <= start:
            return False
        self._fleet.clock.at(stop, LEAVE + self._device, self._leave, departures.fate(self._device))
        return True

    def _leave(self, fate: int) -> None:
        """Stop for good, also while waiting for an answer; that is what becomes of what is in flight."""
        self._gone = True
        if self._flight is not None:
            self._drop(self._flight, fate)
            self._flight = None
        if self._news is not None and not self._news.triggered:
            self._news.succeed()

    def _moment(self, start: int, stop: int) -> IntArray:
        """[1] the time of the only step that it is ever about: now."""
        return np.array([self._fleet.clock.tick])

    def hears(self, price: float) -> None:
        """Keep the price for the next interaction."""
        if self._diary is not None:
            self._diary.price, self._diary.priced = price, self._fleet.clock.tick

    def settled(self, request: Request) -> None:
        """Keep an answer for the next interaction, or for the one that waits for it."""
        self._flight = None
        self._keep(request)
        if self._news is not None and request.step == self._asked:
            self._news.succeed()

    def late(self, request: Request) -> None:
        """Keep an answer to an earlier request for the next interaction."""
        if self._gone:
            self._fleet.exchange.close(request)
        else:
            request.answered = request.reached
            self._keep(request)

    def _keep(self, request: Request) -> None:
        if request.answered < 0 or self._over:
            self._fleet.exchange.close(request)
            return
        if self._letter is not None:
            if request.cut <= self._letter.cut:
                self._fleet.exchange.close(request)
                return
            self._fleet.exchange.close(self._letter)
        self._letter = request

    def _go_on(self, news: Event) -> None:
        if not news.triggered:
            news.succeed()

    def _take_weights(self) -> None:
        """Go over to the newest weights that are there by now; what was held is looked at by them."""
        pushes = self._fleet.pushes
        if pushes is None:
            return
        user = pushes.user(self._device, self._fleet.clock.tick)
        if user != self._user:
            self._user, self._model = user, self._models.device(user)
            if self._held != NOTHING:
                self._model.hold(self._held)

    def _take_letter(self) -> None:
        letter, self._letter = self._letter, None
        if letter is None:
            return
        exchange = self._fleet.exchange
        if letter.cut <= self._held:
            exchange.close(letter)
            return
        if self._fresh is not None:
            exchange.close(self._fresh)
        self._fresh = letter
        self._held = letter.cut
        if self._diary is not None:
            self._diary.held = letter.sent
        self._model.hold(letter.cut)

    def _wants(self, step: int) -> bool:
        """Whether the policy asks at this step."""
        fleet = self._fleet
        if step == 0 and fleet.policy.opens:
            return True
        return bool(fleet.policy.asks(self._sight(step))[0])

    def _sight(self, step: int) -> Sight:
        """What the device sees at this step."""
        fleet, steps = self._fleet, np.array([step])
        signals = None
        if self._held != NOTHING:
            signals = {}
            if fleet.policy.signals:
                seen = self._model.signals()
                signals = {name: np.array([seen[name]]) for name in fleet.policy.signals}

        def coins() -> FloatArray:
            return uniforms(fleet.seed, "coin", self._device, steps)

        if self._diary is None:
            return Sight(steps, self._asked, signals, coins)
        return self._diary.sight(steps, self._asked, signals, coins)
