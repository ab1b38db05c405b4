"""Refreshed weights on their way to the devices: when each version is there, and which one a device shows by.

When a version arrives is a function of (seed, device, version): nothing that a device asks for moves it. Outcomes of
the k-th version are those of user + k * users, as if it were another user with the same stream. A device goes over to
new weights between two interactions: what counts is when an interaction begins, before any wait for an answer.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from scenarios.schema.pushes import Pushes as Spec
from scenarios.schema.pushes import Unmetered
from simulator.clock import NEVER, SECOND
from simulator.draws import uniforms
from simulator.network import Network
from simulator.outcomes import IntArray
from simulator.pace import Pace
from simulator.records import Log
from simulator.world import World

TRIES = 1000
"""A download that fails so often is given up."""
AFTER_ALL = int(np.iinfo(np.int64).max)
"""When a version arrives that does not."""

Ranks = Callable[[IntArray, IntArray, IntArray, IntArray], npt.NDArray[np.uint16]]


class Pushes:
    """The versions of a run. waited: [devices] ticks by which each device's interactions are late by now."""

    def __init__(self, world: World, spec: Spec, seed: int, network: Network, pace: Pace) -> None:
        self._world, self._spec, self._pace = world, spec, pace
        self._users = world.all_users
        self.arrivals = arrivals(world, spec, seed, network)
        """[devices, versions] ticks from which each version, or a newer one, is there."""
        self._arrivals: list[list[int]] = self.arrivals.tolist()
        self.waited: IntArray = np.zeros(world.devices, np.int64)

    def user(self, device: int, time: int) -> int:
        """Whose outcomes hold for an interaction of a device that begins at this time."""
        version = sum(arrival <= time for arrival in self._arrivals[device])
        return self._of(device) + version * self._users

    def runs(self, device: int, start: int, stop: int) -> list[tuple[int, int, int]]:
        """(user, start, stop) of each run of the steps start .. stop - 1 with one version, as late as all is by now."""
        times, first, _ = self._pace.clock(device)
        late, user = int(self.waited[device]), self._of(device)
        runs, begin = [], start
        for version, arrival in enumerate([*self._arrivals[device], AFTER_ALL]):
            end = bisect_left(times, arrival - late, first + begin, first + stop) - first
            if end > begin:
                runs.append((user + version * self._users, begin, end))
                begin = end
        return runs

    def ranks(self, of: Ranks, lived: IntArray, waits: array[int]) -> Ranks:
        """Looks ranks up by (device, cut, start, stop), as (user, cut, start, stop) of each version have them.

        lived: [devices] interactions. waits: of each, device, step, and ticks by which all later ones are late.
        """
        device_of, step_of, late_of = np.array(waits, np.int64).reshape(-1, 3).T
        order = np.lexsort((step_of, device_of))
        device_of, step_of, late_of = device_of[order], step_of[order], late_of[order]

        def look_up(device: IntArray, cut: IntArray, start: IntArray, stop: IntArray) -> npt.NDArray[np.uint16]:
            lengths = stop - start
            run = np.repeat(np.arange(len(device)), lengths)
            step = np.arange(len(run)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + start[run]
            owner = device[run]
            begins = self._pace.times(int(owner[0]), int(owner[-1]) + 1, lived)
            # The latest wait at an earlier step, if it is the same device's.
            key = owner * (int(lived.max()) + 1) + step
            latest = np.searchsorted(device_of * (int(lived.max()) + 1) + step_of, key) - 1
            own = (latest >= 0) & (device_of[latest] == owner) if len(device_of) else np.zeros(len(owner), np.bool_)
            begins = begins + np.where(own, late_of[latest] if len(device_of) else 0, 0)
            version = (self.arrivals[owner] <= begins[:, None]).sum(1)
            heads = np.flatnonzero((np.diff(run, prepend=-1) != 0) | (np.diff(version, prepend=-1) != 0))
            sizes = np.diff(heads, append=len(run))
            users = self._world.device_users[owner[heads]] + version[heads] * self._users
            return of(users, cut[run[heads]], step[heads], step[heads] + sizes)

        return look_up

    def bytes(self, until: int) -> IntArray:
        """[devices] bytes of the versions that were there by this time; those that a newer one was before, too."""
        return np.asarray((self.arrivals <= until).sum(1) * self._world.push_bytes, np.int64)

    def transfers(self, log: Log, last: int) -> Iterator[tuple[int, int, Mapping[str, IntArray]]]:
        """What the radios sent and received by device: the request log's messages, and the versions that came over
        them until the tick `last`."""
        for first, until, part in log.by_device():
            yield first, until, part if isinstance(self._spec.over, Unmetered) else self._with(part, first, until, last)

    def _with(self, log: Mapping[str, IntArray], first: int, until: int, last: int) -> Mapping[str, IntArray]:
        device, version = np.nonzero(self.arrivals[first:until] <= last)
        device += first
        there = self.arrivals[device, version]
        nothing = np.zeros_like(there)
        size = nothing + self._world.push_bytes
        more = {"device": device, "sent": there, "reached": there, "uplink": nothing, "downlink": size}
        return {name: np.concatenate([log[name], column]) for name, column in more.items()}

    def _of(self, device: int) -> int:
        return int(self._world.users[device % len(self._world.users)])


def arrivals(world: World, spec: Spec, seed: int, network: Network) -> IntArray:
    """[devices, versions] ticks from which each version, or a newer one, is there; AFTER_ALL where it does not come."""
    devices, zeros = np.arange(world.devices), np.zeros(world.devices, np.int64)
    there = np.full((world.devices, spec.count), AFTER_ALL)
    for version in range(spec.count):
        drawn = uniforms(seed, "push", devices, zeros + version)
        sent = np.rint((spec.first_s + version * spec.every_s + drawn * spec.spread_s) * SECOND).astype(np.int64)
        if isinstance(spec.over, Unmetered):
            wait = -np.log1p(-uniforms(seed, "push wait", devices, zeros + version)) * spec.over.wait_s
            transfer = 8 * world.push_bytes / (spec.over.downlink_mbps * 1e6)
            there[:, version] = sent + np.rint((wait + transfer) * SECOND).astype(np.int64)
        else:
            again = round(spec.over.again_s * SECOND)
            for device, begin in enumerate(sent.tolist()):
                for n in range(TRIES):
                    arrival = network.push(device, version * TRIES + n, world.push_bytes, begin + n * again)
                    if arrival != NEVER:
                        there[device, version] = arrival
                        break
    # A version that comes after a newer one is never shown by.
    return np.minimum.accumulate(there[:, ::-1], axis=1)[:, ::-1]


def learned_from(world: World, spec: Spec, seeds: Sequence[int]) -> list[IntArray]:
    """[versions] of [m] interactions that every device of each user has lived through, under all of these seeds, before
    a refresh is made, if nobody waits for answers."""
    streams = len(world.users)
    lived = [world.stream_lengths.copy() for _ in range(spec.count)]
    for seed in seeds:
        pace = Pace(world, seed)
        for device in range(world.devices):
            times, first, end = pace.clock(device)
            for version, least in enumerate(lived):
                made = round(max(spec.first_s + version * spec.every_s - spec.making_s, 0) * SECOND)
                here = bisect_left(times, made, first, end) - first
                least[device % streams] = min(least[device % streams], here)
    return lived
