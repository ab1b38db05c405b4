"""A replay without a clock, before the runs of a sweep: which outcomes will they look at?

Models are fast in large batches only, and a run looks at outcomes one device at a time. So all users first go through
their streams together, under all policies of the sweep, each answer arriving at once: every round is one batch. Latency
makes a run part from its rehearsal in places only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
    progress = Progress(int(world.stream_lengths[streams].sum()) * len(policies), tell)
    _all(world, foresights, streams, seed, demand, progress)
    by_chance = [foresight.policy for foresight in foresights if not foresight.alike]
    for other in others:
        again = [Foresight(policy, other, demand) for policy in by_chance]
        _all(world, again, streams, other, demand, Progress(0, None))
    return demand


def _all(
    world: World, foresights: Sequence[Foresight], users: IntArray, seed: int, demand: Demand, progress: Progress
) -> None:
    _play(world, [each for each in foresights if not each.policy.forgets], users, seed, demand, progress)
    for foresight in foresights:
        if foresight.policy.forgets:
            _play_at_once(world, foresight, users, demand, progress)


def _play_at_once(world: World, foresight: Foresight, users: IntArray, demand: Demand, progress: Progress) -> None:
    """The same for a policy that forgets: all requests of a stream are known beforehand."""
    lists = []
    for stream in users.tolist():
        length = int(world.stream_lengths[stream])
        cuts = np.flatnonzero(foresight.all_asks(stream, length))
        lists.append(np.stack([np.full(len(cuts), stream), cuts, np.append(cuts[1:] + 1, length)[: len(cuts)]]))
        progress.add(length)
    streams, cuts, until = np.concatenate(lists, axis=1)
    demand.tell(streams, cuts, until)


def _play(
    world: World, foresights: Sequence[Foresight], users: IntArray, seed: int, demand: Demand, progress: Progress
) -> None:
    """These users go through their streams, under all of these policies side by side."""
    lengths = np.tile(world.stream_lengths[users], len(foresights))
    streams = np.tile(users, len(foresights))
    actor = np.repeat(np.arange(len(foresights)), len(users))
    opening = np.array([0 if foresight.policy.opens else NOTHING for foresight in foresights], np.int64)
    held = np.repeat(opening, len(users))
    diaries: list[Diary | None] = [None] * len(held)
    if any(foresight.policy.recalls for foresight in foresights):
        pace = Pace(world, seed)
        for i in np.flatnonzero([foresights[a].policy.recalls for a in actor.tolist()]).tolist():
            diaries[i] = Diary(foresights[actor[i]].policy, _moments(pace, int(streams[i])))
            if held[i] != NOTHING:
                _note(foresights[actor[i]], int(streams[i]), NOTHING, 0, diaries[i])
    here = held + 1
    look = np.full(len(here), LOOK)
    progress.add(int(here.sum()))
    alive = np.flatnonzero(here < lengths)
    while len(alive):
        until = np.minimum(here + look, lengths)
        holding = alive[held[alive] != NOTHING]
        demand.tell(streams[holding], held[holding], until[holding])
        before = int(here.sum())
        found = until.copy()
        for some in np.split(alive, np.flatnonzero(np.diff(actor[alive])) + 1):
            foresight = foresights[actor[some[0]]]
            if foresight.policy.recalls:
                for i in some.tolist():
                    found[i] = _look(foresight, int(streams[i]), int(held[i]), int(here[i]), int(until[i]), diaries[i])
                continue
            for rows in (some[held[some] == NOTHING], some[held[some] != NOTHING]):
                if len(rows):
                    found[rows] = foresight.look_all(streams[rows], held[rows], here[rows], until[rows])
            known = some[(held[some] != NOTHING) & ((found[some] < until[some]) | (until[some] == lengths[some]))]
            foresight.remember_all(streams[known], held[known], found[known])
        asks = found[alive] < until[alive]
        held[alive] = np.where(asks, found[alive], held[alive])
        look[alive] = np.where(asks, LOOK, 2 * look[alive])
        here[alive] = found[alive] + asks
        progress.add(int(here.sum()) - before)
        alive = alive[here[alive] < lengths[alive]]


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
