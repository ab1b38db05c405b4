"""Looking ahead: at which step will a device ask next, if nothing reaches it until then?

The policy is asked about a run of steps at once, over the outcomes of the list that the device holds. What it says of a
device that has just got what it asked for is remembered, unless it depends on that device alone: clones of a stream,
replications, and the runs after their rehearsal then look once.
"""

from __future__ import annotations

from array import array
from collections import Counter

import numpy as np

from simulator.diary import Diary
from simulator.draws import uniforms
from simulator.outcomes import NOTHING, FloatArray, IntArray, Outcomes, SignalArray
from simulator.policies.base import BoolArray, Policy, Sight
from simulator.pushes import Pushes
from simulator.world import World

LOOK = 8
"""Steps of a first look; each further look is twice as long."""


class Demand:
    """Which outcomes have been asked for so far, by the place of their stream among the users replayed, and cut."""

    def __init__(self, world: World, outcomes: Outcomes) -> None:
        self.outcomes = outcomes
        self.users: list[int] = world.users.tolist()
        self.lengths: list[int] = world.stream_lengths.tolist()
        self.steps = np.arange(int(world.stream_lengths.max()))
        self.user_of = world.users
        """[streams] whose each is."""
        self._lengths = world.stream_lengths
        self.firsts = np.cumsum(world.stream_lengths) - world.stream_lengths
        """[streams] where the cuts of each begin, of all of them one after the other."""
        self.first: list[int] = self.firsts.tolist()
        self.has_told = bytearray(int(world.stream_lengths.sum()))
        """[cuts] whether outcomes of each have been asked for."""
        self.requests: Counter[Policy] = Counter()
        """How often devices asked in rehearsals of each policy."""
        self._asks: dict[Policy, array[int]] = {}

    def tell(self, streams: IntArray, cuts: IntArray, until: IntArray) -> None:
        """Ask for the outcomes of cuts[i] at the steps before until[i], in one batch."""
        self.outcomes.ensure(self.user_of[streams], cuts, np.minimum(until, self._lengths[streams]))
        np.frombuffer(self.has_told, np.uint8)[self.firsts[streams] + cuts] = 1

    def asks(self, policy: Policy) -> array[int]:
        """[cuts] where a device asks next that asked for the list of this cut and holds it from the next step on; the
        number of steps where it does not, 0 where nobody has looked yet."""
        return self._asks.setdefault(policy, array("i", bytes(4 * len(self.has_told))))


class Foresight:
    """What a policy will do, device by device.

    A list that no rehearsal told of is asked for when a device first looks at it, together with all that are in flight.
    """

    def __init__(self, policy: Policy, seed: int, demand: Demand, pushes: Pushes | None = None) -> None:
        self.policy = policy
        self._pushes = pushes
        self._seed = seed
        self._demand = demand
        self._streams = len(demand.users)
        self._expected: dict[tuple[int, int], None] = {}
        self._asks = demand.asks(policy)
        self._first = demand.first
        self._told = demand.has_told
        self._signals = policy.signals
        self.alike = not policy.recalls and pushes is None
        """Whether the policy has said the same of all clones and under all seeds so far."""

    def expect(self, device: int, cut: int) -> None:
        """A device has asked for the list of this cut and will look at it once it comes."""
        stream = device % self._streams
        if self._signals and not self._told[self._first[stream] + cut]:
            self._expected[stream, cut] = None

    def next_ask(self, device: int, held: int, asked: int, step: int, end: int, diary: Diary | None = None) -> int:
        """The first step >= `step` at which the device asks, given the list it holds; `end` if it does not."""
        stream = device % self._streams
        usual = self.alike and held == asked == step - 1 >= 0
        if usual:
            known = self._asks[self._first[stream] + held]
            if known:
                return min(known, end)
        if self._signals and held != NOTHING and step < end:
            self._due(stream, held)
        until = self._demand.lengths[stream] if usual else end
        # Looks end where those of the rehearsal do, so that an answer which came late has nothing made anew.
        size, edge, found = LOOK, held + 1 + LOOK, until
        while step < until and found == until:
            while edge <= step:
                size *= 2
                edge += size
            stop = min(edge, until)
            first = self.look(device, held, asked, step, stop, diary)
            if first < stop:
                found = first
            step = stop
        if usual:
            self.remember(stream, held, found)
        return min(found, end)

    def known_asks(self, devices: IntArray, cuts: IntArray) -> IntArray:
        """[n] where each device asks next that asked for the list of this cut and holds it from the next step on.

        The number of its steps where it does not, or more, as its stream may be shorter than the rehearsal's; 0 where
        nobody has looked yet.
        """
        places = self._demand.firsts[devices % self._streams] + cuts
        known = np.frombuffer(self._asks, np.dtype("i"))[places] * self.alike
        return np.asarray(known, np.int64)

    def known_ask(self, device: int, cut: int) -> int:
        """The same of one."""
        return self._asks[self._first[device % self._streams] + cut] if self.alike else 0

    @property
    def knows(self) -> bool:
        """Whether anything is known of where devices ask next, whoever they are."""
        return self.alike and any(self._asks)

    def remember(self, stream: int, cut: int, step: int) -> None:
        """A device that asked for the list of this cut, and holds it from the next step on, asks next at this step."""
        if self.alike:
            self._asks[self._first[stream] + cut] = step

    def remember_all(self, streams: IntArray, cuts: IntArray, steps: IntArray) -> None:
        """The same of many, none of which holds nothing."""
        if self.alike:
            np.frombuffer(self._asks, np.dtype("i"))[self._demand.firsts[streams] + cuts] = steps

    def look_all(self, streams: IntArray, held: IntArray, starts: IntArray, stops: IntArray) -> IntArray:
        """[n] what `look` finds for each of these streams, whose devices hold what they asked for last, or all nothing.

        For policies that do not recall: all runs are looked at as one.
        """
        lengths = stops - starts
        ends = np.cumsum(lengths)
        before = ends - lengths
        steps = np.repeat(starts - before, lengths) + np.arange(ends[-1])

        def coins() -> FloatArray:
            self.alike = False
            return uniforms(self._seed, "coin", np.repeat(streams, lengths), steps)

        signals = None
        if held[0] != NOTHING:
            users, of_all = self._demand.user_of[streams], self._demand.outcomes.signals
            signals = {name: of_all(name, users, held, starts, stops) for name in self._signals}
        asks = np.flatnonzero(self.policy.asks(Sight(steps, np.repeat(held, lengths), signals, coins)))
        first = np.append(asks, ends[-1])[np.searchsorted(asks, before)]
        return np.where(first < ends, starts + first - before, stops)

    def look(self, device: int, held: int, asked: int, start: int, stop: int, diary: Diary | None = None) -> int:
        """The first of the steps start .. stop - 1 at which the device asks, given the list it holds; stop if none."""
        asks = self.policy.asks(self._sight(device, held, asked, start, stop, diary))
        first = int(asks.argmax())
        return start + first if asks[first] else stop

    def all_asks(self, streams: IntArray, lengths: IntArray) -> BoolArray:
        """[sum(lengths)] at which steps of each stream a device asks whose policy forgets.

        The first is asked at if the policy opens.
        """
        ends = np.cumsum(lengths)
        steps = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)

        def coins() -> FloatArray:
            self.alike = False
            return uniforms(self._seed, "coin", np.repeat(streams, lengths), steps)

        asks = self.policy.asks(Sight(steps, np.full(len(steps), NOTHING), None, coins)).copy()
        asks[ends - lengths] |= self.policy.opens
        return asks

    def note_request(self, device: int, held: int, asked: int, step: int, diary: Diary, now: int) -> None:
        """The device asks at this step, which is now: let its policy keep what it wants to."""
        if diary.memory:
            if self.policy.signals and held != NOTHING:
                self._due(device % self._streams, held)
            diary.memory = self.policy.remember(self._sight(device, held, asked, step, step + 1, diary))
        diary.asked = now

    def _sight(self, device: int, held: int, asked: int, start: int, stop: int, diary: Diary | None) -> Sight:
        """What the device sees at the steps start .. stop - 1, given the list it holds."""
        demand = self._demand
        steps = demand.steps[start:stop]

        def coins() -> FloatArray:
            self.alike = False
            return uniforms(self._seed, "coin", device, steps)

        signals = None
        if held != NOTHING:
            signals = {name: self._signal(name, device, held, start, stop) for name in self._signals}
        return Sight(steps, asked, signals, coins) if diary is None else diary.sight(steps, asked, signals, coins)

    def _signal(self, name: str, device: int, held: int, start: int, stop: int) -> SignalArray:
        """[stop - start] what the device reads of a signal, by the versions of its model that it has at these steps."""
        signal = self._demand.outcomes.signal
        if self._pushes is None:
            return signal(name, self._demand.users[device % self._streams], held, start, stop)
        runs = self._pushes.runs(device, start, stop)
        return np.concatenate([signal(name, user, held, begin, end) for user, begin, end in runs])

    def _due(self, stream: int, cut: int) -> None:
        if not self._told[self._first[stream] + cut]:
            streams, cuts = np.array(list(self._expected), np.int64).T
            self._demand.tell(streams, cuts, cuts + 1 + LOOK)
            self._expected.clear()
