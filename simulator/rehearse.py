"""A replay without a clock, before the runs of a sweep: which outcomes will they look at?

Models are fast in large batches only, and a run looks at outcomes one device at a time. So all users first go through
their streams together, under all policies of the sweep, each answer arriving at once: every round is one batch. Latency
makes a run part from its rehearsal in places only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scenarios.schema.fleet import Blocking
from simulator.diary import Diary
from simulator.foresight import LOOK, Demand, Foresight
from simulator.outcomes import NOTHING, IntArray, Outcomes
from simulator.pace import Pace
from simulator.policies.base import Policy
from simulator.progress import Progress, Tell
from simulator.world import World


def rehearse(
    world: World,
    policies: Sequence[Policy],
    seed: int,
    outcomes: Outcomes,
    tell: Tell | None = None,
    others: Sequence[int] = (),
    part: range | None = None,
) -> Demand:
    """Have nearly all outcomes made that runs of these policies will look at before their end.

    Clones are left out: a user is rehearsed once, with the coins of the first device that replays it. others: seeds of
    further runs; what depends on chance is rehearsed under these too. part: places of the users that are rehearsed, all
    where absent; none of them depends on another.
    """
    demand = Demand(world, outcomes)
    foresights = [Foresight(policy, seed, demand) for policy in policies]
    streams = np.arange(min(world.devices, len(world.users)))
    if part is not None:
        streams = streams[part.start : part.stop]
    if not isinstance(world.fleet.waiting, Blocking) or not all(policy.opens for policy in policies):
        # What is shown before the first answer comes, or where none ever does.
        outcomes.ensure(world.users[streams], np.full(len(streams), NOTHING), np.ones(len(streams), np.int64))
    wishes = _Wishes(demand)
    progress = Progress(int(world.stream_lengths[streams].sum()) * len(policies), tell)
    _Rehearsal(world, streams, seed, demand, wishes, progress).of(foresights)
    by_chance = [foresight.policy for foresight in foresights if not foresight.alike]
    for other in others:
        again = [Foresight(policy, other, demand) for policy in by_chance]
        _Rehearsal(world, streams, other, demand, wishes, Progress(0, None)).of(again)
    wishes.tell()
    return demand


class _Wishes:
    """What policies will look at that decide without it: told of in the end, so that each list is made once."""

    def __init__(self, demand: Demand) -> None:
        self._demand = demand
        self._until = np.zeros(len(demand.has_told), np.int64)
        """[cuts] up to which step the list of each is looked at, 0 where it is not."""

    def note(self, streams: IntArray, cuts: IntArray, until: IntArray) -> None:
        """The lists of these cuts are looked at before these steps."""
        np.maximum.at(self._until, self._demand.firsts[streams] + cuts, until)

    def tell(self) -> None:
        """Ask for all of it."""
        places = np.flatnonzero(self._until)
        streams = np.searchsorted(self._demand.firsts, places, side="right") - 1
        self._demand.tell(streams, places - self._demand.firsts[streams], self._until[places])


@dataclass(frozen=True)
class _Rehearsal:
    """Users go through their streams with the coins of a seed, and what is looked at on the way is told and noted."""

    world: World
    users: IntArray
    seed: int
    demand: Demand
    wishes: _Wishes
    progress: Progress

    def of(self, foresights: Sequence[Foresight]) -> None:
        """Under these policies: those that remember side by side, each of the others by itself."""
        self._play([each for each in foresights if not each.policy.forgets])
        for foresight in foresights:
            if foresight.policy.forgets:
                self._play_at_once(foresight)

    def _play(self, foresights: Sequence[Foresight]) -> None:
        """The users go through their streams under all of these policies side by side."""
        users = self.users
        lengths = np.tile(self.world.stream_lengths[users], len(foresights))
        streams = np.tile(users, len(foresights))
        actor = np.repeat(np.arange(len(foresights)), len(users))
        requests = np.array([len(users) * foresight.policy.opens for foresight in foresights], np.int64)
        looks = np.array([bool(foresight.policy.signals) for foresight in foresights], np.bool_)
        opening = np.array([0 if foresight.policy.opens else NOTHING for foresight in foresights], np.int64)
        held = np.repeat(opening, len(users))
        diaries: list[Diary | None] = [None] * len(held)
        if any(foresight.policy.recalls for foresight in foresights):
            pace = Pace(self.world, self.seed)
            for i in np.flatnonzero([foresights[a].policy.recalls for a in actor.tolist()]).tolist():
                diaries[i] = Diary(foresights[actor[i]].policy, _moments(pace, int(streams[i])))
                if held[i] != NOTHING:
                    _note(foresights[actor[i]], int(streams[i]), NOTHING, 0, diaries[i])
        here = held + 1
        look = np.full(len(here), LOOK)
        self.progress.add(int(here.sum()))
        alive = np.flatnonzero(here < lengths)
        while len(alive):
            until = np.minimum(here + look, lengths)
            holding = alive[held[alive] != NOTHING]
            told = holding[looks[actor[holding]]]
            self.demand.tell(streams[told], held[told], until[told])
            before = int(here.sum())
            found = until.copy()
            for some in np.split(alive, np.flatnonzero(np.diff(actor[alive])) + 1):
                foresight = foresights[actor[some[0]]]
                if foresight.policy.recalls:
                    for i in some.tolist():
                        found[i] = _look(
                            foresight, int(streams[i]), int(held[i]), int(here[i]), int(until[i]), diaries[i]
                        )
                    continue
                for rows in (some[held[some] == NOTHING], some[held[some] != NOTHING]):
                    if len(rows):
                        found[rows] = foresight.look_all(streams[rows], held[rows], here[rows], until[rows])
                known = some[(held[some] != NOTHING) & ((found[some] < until[some]) | (until[some] == lengths[some]))]
                foresight.remember_all(streams[known], held[known], found[known])
            blind = holding[~looks[actor[holding]]]
            self.wishes.note(streams[blind], held[blind], np.minimum(found[blind] + 1, until[blind]))
            asks = found[alive] < until[alive]
            requests += np.bincount(actor[alive[asks]], minlength=len(foresights))
            held[alive] = np.where(asks, found[alive], held[alive])
            look[alive] = np.where(asks, LOOK, 2 * look[alive])
            here[alive] = found[alive] + asks
            self.progress.add(int(here.sum()) - before)
            alive = alive[here[alive] < lengths[alive]]
        self.demand.requests.update(
            {foresight.policy: int(n) for foresight, n in zip(foresights, requests, strict=True)}
        )

    def _play_at_once(self, foresight: Foresight) -> None:
        """The same for a policy that forgets, all of whose requests in a stream are known beforehand."""
        users = self.users
        lengths = self.world.stream_lengths[users]
        ends = np.cumsum(lengths)
        asks = np.flatnonzero(foresight.all_asks(users, lengths))
        self.demand.requests[foresight.policy] += len(asks)
        of = np.searchsorted(ends, asks, side="right")
        firsts, following = (ends - lengths)[of], np.minimum(np.append(asks[1:], ends[-1])[: len(asks)], ends[of])
        foresight.remember_all(users[of], asks - firsts, following - firsts)
        # A list is seen at the step of the next request, too.
        self.wishes.note(users[of], asks - firsts, np.minimum(following + 1, ends[of]) - firsts)
        self.progress.add(int(ends[-1]))


def _moments(pace: Pace, device: int) -> Callable[[int, int], IntArray]:
    """Gives the times of a device's steps, where no answer keeps it waiting."""
    times, first, _ = pace.clock(device)
    return lambda start, stop: np.asarray(times[first + start : first + stop])


def _look(foresight: Foresight, stream: int, held: int, start: int, stop: int, diary: Diary | None) -> int:
    """Where a device with a diary asks, which is noted in it; stop if at no step before that."""
    found = foresight.look(stream, held, held, start, stop, diary)
    if found < stop:
        _note(foresight, stream, held, found, diary)
    return found


def _note(foresight: Foresight, stream: int, held: int, step: int, diary: Diary | None) -> None:
    """A request at this step is answered at once."""
    if diary is not None:
        now = int(diary.ticks(step, step + 1)[0])
        foresight.note_request(stream, held, held, step, diary, now)
        diary.held = now
