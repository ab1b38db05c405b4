"""A caller that does not give up at once: requests that fail are made again, within bounds, or not made at all.

Every attempt is a request of its own on the exchange, with its own row in the log; the device sees one request, which
ends when an attempt is answered or the last one fails. It stands between the devices and the exchange only where the
scenario asks for it.
"""

from __future__ import annotations

from scenarios.schema.fleet import Fleet
from scenarios.schema.persistence import BackoffRetry, ConsecutiveBreaker, TokenBudget
from simulator.breaker import Breaker
from simulator.clock import RESEND, Clock, ticks
from simulator.draws import uniform
from simulator.exchange import Exchange
from simulator.request import ABANDONED, ATTEMPT, Owner, Request


class Ask:
    """One request as the device sees it, over all its attempts; owns each of these."""

    __slots__ = ("_caller", "_over", "attempt", "device", "heard", "intended", "owner", "step", "waits_for")

    def __init__(self, caller: Caller, owner: Owner, device: int, step: int, intended: int, heard: int) -> None:
        self._caller = caller
        self._over = False
        self.owner = owner
        self.device = device
        self.step = step
        self.intended = intended
        self.heard = heard
        self.attempt = 0
        self.waits_for: Request | None = None
        """The attempt in flight; none while the device bides its time before the next."""

    def begin(self) -> None:
        """Make the next attempt."""
        self.attempt += 1
        self.waits_for = self._caller.exchange.send(
            self, self.device, self.step, self.intended, self.heard, self.attempt
        )

    def again(self, _: None) -> None:
        """The time before the next attempt is over."""
        if not self._over:
            self.begin()

    def settled(self, request: Request) -> None:
        """Make it again if that is allowed; else tell the device."""
        caller = self._caller
        self.waits_for = None
        if request.answered < 0 and caller.goes_on(self):
            caller.exchange.close(request)
            return
        if request.answered >= 0:
            caller.succeeded(self.device)
        self._over = True
        self.owner.settled(request)

    def hears(self, price: float) -> None:
        """The device hears what a reply tells, also where the request is made again."""
        self.owner.hears(price)

    def late(self, request: Request) -> None:
        """An answer to an earlier attempt ends the request, where it has not ended yet."""
        if self._over:
            self.owner.late(request)
            return
        self.give_up(ABANDONED)
        self._caller.succeeded(self.device)
        request.answered = request.reached
        self.owner.settled(request)

    def give_up(self, status: int) -> None:
        """The device does not want it any more."""
        self._over = True
        if self.waits_for is not None:
            self._caller.exchange.drop(self.waits_for, status)
            self.waits_for = None


class Caller:
    """Sends for the devices: what fails is made again while attempts, the budget and the breaker allow."""

    def __init__(self, clock: Clock, fleet: Fleet, exchange: Exchange, seed: int) -> None:
        self._clock = clock
        self._seed = seed
        self.exchange = exchange
        retry, breaker = fleet.retry, fleet.breaker
        self._attempts = retry.attempts if isinstance(retry, BackoffRetry) else 1
        self._first, self._longest = (
            (ticks(retry.first_s), ticks(retry.longest_s)) if isinstance(retry, BackoffRetry) else (0, 0)
        )
        budget = retry.budget if isinstance(retry, BackoffRetry) else None
        self._budget = budget if isinstance(budget, TokenBudget) else None
        self._tokens: dict[int, float] = {}
        self._breaker = None
        if isinstance(breaker, ConsecutiveBreaker):
            self._breaker = Breaker(breaker.failures, ticks(breaker.open_s))

    def admits(self, device: int) -> bool:
        """Whether the device may ask now."""
        return self._breaker is None or self._breaker.admits(device, self._clock.tick)

    def send(self, owner: Owner, device: int, step: int, intended: int, heard: int) -> Ask:
        """As the exchange's."""
        ask = Ask(self, owner, device, step, intended, heard)
        if self._breaker is not None:
            self._breaker.asked(device)
        ask.begin()
        return ask

    def drop(self, ask: Ask, status: int = ABANDONED) -> None:
        """As the exchange's."""
        ask.give_up(status)

    def succeeded(self, device: int) -> None:
        """An answer has come."""
        if self._breaker is not None:
            self._breaker.succeeded(device)
        if self._budget is not None:
            tokens = self._tokens.get(device, self._budget.most) + self._budget.per_answer
            self._tokens[device] = min(tokens, self._budget.most)

    def goes_on(self, ask: Ask) -> bool:
        """An attempt has failed: whether there will be another, which is then set for its time."""
        device, allowed = ask.device, ask.attempt < self._attempts
        if self._breaker is not None:
            self._breaker.failed(device, self._clock.tick)
            allowed = allowed and self._breaker.admits(device, self._clock.tick)
        if self._budget is not None:
            tokens = max(self._tokens.get(device, self._budget.most) - 1, 0.0)
            self._tokens[device] = tokens
            allowed = allowed and tokens > self._budget.most / 2
        if allowed:
            limit = min(self._first << (ask.attempt - 1), self._longest)
            index = ask.step + ask.attempt * ATTEMPT
            wait = round(limit * uniform(self._seed, "backoff", device, index))
            self._clock.at(self._clock.tick + wait, RESEND + device, ask.again)
        return allowed
