"""Looking ahead: at which step will a device ask next, if nothing reaches it until then?

The policy is asked about a run of steps at once, over the outcomes of the list that the device holds.
"""

from __future__ import annotations

import numpy as np

from simulator.draws import uniforms
from simulator.outcomes import NOTHING, IntArray, Outcomes
from simulator.policies.base import Policy, Sight
from simulator.world import World

LOOK = 16
"""Steps of a first look; each further look is twice as long."""


class Demand:
    """Which outcomes have been asked for so far, by the place of their stream among the users replayed, and cut."""

    def __init__(self, world: World, outcomes: Outcomes) -> None:
        self.outcomes = outcomes
        self.users: list[int] = world.users.tolist()
        self.steps = np.arange(int(world.stream_lengths.max()))
        self._user_of = world.users
        self._lengths = world.stream_lengths
        self._first: list[int] = (np.cumsum(world.stream_lengths) - world.stream_lengths).tolist()
        self._told = bytearray(int(world.stream_lengths.sum()))

    def told(self, stream: int, cut: int) -> bool:
        """Whether outcomes of this cut have been asked for."""
        return bool(self._told[self._first[stream] + cut])

    def tell(self, streams: IntArray, cuts: IntArray, until: IntArray) -> None:
        """Ask for the outcomes of cuts[i] at the steps before until[i], in one batch."""
        self.outcomes.ensure(self._user_of[streams], cuts, np.minimum(until, self._lengths[streams]))
        for stream, cut in zip(streams.tolist(), cuts.tolist(), strict=True):
            self._told[self._first[stream] + cut] = 1


def first_ask(
    policy: Policy, demand: Demand, seed: int, device: int, held: int, asked: int, start: int, stop: int
) -> int:
    """The first of the steps start .. stop - 1 at which the device asks, given the list it holds; stop if at none."""
    steps = demand.steps[start:stop]
    signals = None
    if held != NOTHING:
        user, signal = demand.users[device % len(demand.users)], demand.outcomes.signal
        signals = {name: signal(name, user, held, start, stop) for name in policy.signals}
    asks = policy.asks(Sight(steps, asked, signals, lambda: uniforms(seed, "coin", device, steps)))
    first = int(asks.argmax())
    return start + first if asks[first] else stop


class Foresight:
    """What the policy of a run will do, device by device.

    A list that no rehearsal told of is asked for when a device first looks at it, together with all that are in flight.
    """

    def __init__(self, policy: Policy, seed: int, demand: Demand) -> None:
        self.policy = policy
        self._seed = seed
        self._demand = demand
        self._streams = len(demand.users)
        self._expected: dict[tuple[int, int], None] = {}

    def expect(self, device: int, cut: int) -> None:
        """A device has asked for the list of this cut and will look at it once it comes."""
        if self.policy.signals and not self._demand.told(device % self._streams, cut):
            self._expected[device % self._streams, cut] = None

    def next_ask(self, device: int, held: int, asked: int, step: int, end: int) -> int:
        """The first step >= `step` at which the device asks, given the list it holds; `end` if it does not."""
        if self.policy.signals and held != NOTHING and step < end:
            self._due(device, held)
        size = LOOK
        while step < end:
            stop = min(step + size, end)
            found = first_ask(self.policy, self._demand, self._seed, device, held, asked, step, stop)
            if found < stop:
                return found
            step = stop
            size *= 2
        return end

    def _due(self, device: int, cut: int) -> None:
        if not self._demand.told(device % self._streams, cut):
            streams, cuts = np.array(list(self._expected), np.int64).T
            self._demand.tell(streams, cuts, cuts + 1 + LOOK)
            self._expected.clear()
