"""When each device's interactions happen, if nothing makes its user wait.

A device starts at a moment drawn evenly from the start spread. Then either the recorded gaps of its user follow, cut
and compressed, or drawn ones: with probability 1 / session_length an interaction opens a new session after a pause,
else it follows after a think time (so sessions are geometric). What the device computes at each interaction comes on
top: it is over, and the interaction there, when the device can ask and show. Times are made in blocks of devices, when
first asked for.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from scenarios.errors import ScenarioError
from scenarios.schema.data import DrawnPace, RecordedPace
from scenarios.schema.fleet import Churn
from simulator.activity import Activity, activity
from simulator.clock import SECOND
from simulator.draws import uniforms
from simulator.hardware import compute
from simulator.outcomes import FloatArray, IntArray
from simulator.world import World

BLOCK = 1024
LONGEST_S = 4e9
"""Above a century a stream's length is a slip of the pen, and ticks would soon overflow."""


class Pace:
    """Interaction times of all devices, in ticks."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._seed = seed
        ends = np.cumsum(world.lengths)
        self.firsts: IntArray = ends - world.lengths
        """[devices] where the times of each begin in `all`."""
        self.all: IntArray = np.empty(int(ends[-1]), np.int64)
        """[interactions] times of all devices, one device after the other, as far as they are made."""
        self._times, self._firsts, self._ends = self.all.data, self.firsts.data, ends.data
        self._made = np.zeros(-(-world.devices // BLOCK), np.bool_)
        devices, zeros = np.arange(world.devices), np.zeros(world.devices, np.int64)
        spread = world.pace.start_spread_s
        self._activity = activity(world.pace) if isinstance(world.pace, DrawnPace) else None
        starts = uniforms(seed, "start", devices, zeros)
        if self._activity is None:
            starts *= spread
        else:
            starts = self._activity.time(starts * self._activity.until(np.array(spread)))
        churn = world.fleet.churn
        if isinstance(churn, Churn):
            joins_late = uniforms(seed, "late", devices, zeros) < churn.late_share
            starts += joins_late * churn.late_s * uniforms(seed, "late by", devices, zeros)
        self._starts = starts
        self._compute = compute(world, seed)
        self.starts: IntArray = np.rint(starts * SECOND).astype(np.int64)
        """[devices] time of each device's first interaction."""
        if self._compute is not None:
            self.starts += self._compute.at(devices, zeros)

    def joules(self, interactions: IntArray) -> FloatArray:
        """[devices] what computing takes for so many interactions."""
        return np.zeros(len(interactions)) if self._compute is None else self._compute.joules(interactions)

    def clock(self, device: int) -> tuple[memoryview, int, int]:
        """Times, first, end: the device's i-th interaction happens at times[first + i], first + i < end."""
        if not self._made[device // BLOCK]:
            self._make(device // BLOCK)
        return self._times, self._firsts[device], self._ends[device]

    def make(self, devices: IntArray) -> None:
        """Make the times of these devices."""
        blocks = devices // BLOCK
        for number in np.unique(blocks[~self._made[blocks]]).tolist():
            self._make(number)

    def times(self, first: int, until: int, lived: IntArray) -> IntArray:
        """[sum(lived[first:until])] times of the first `lived` interactions of devices first .. until - 1, in turn."""
        self.make(np.arange(first, until))
        times = self.all[self._firsts[first] : self._ends[until - 1]]
        lengths, lived = self._world.lengths[first:until], lived[first:until]
        if np.array_equal(lengths, lived):
            return times
        step = np.arange(len(times)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return times[step < np.repeat(lived, lengths)]

    def _make(self, number: int) -> None:
        world = self._world
        devices = np.arange(number * BLOCK, min((number + 1) * BLOCK, world.devices))
        lengths = world.lengths[devices]
        first = np.cumsum(lengths) - lengths
        owner = np.repeat(devices, lengths)
        step = np.arange(len(owner)) - np.repeat(first, lengths)
        gaps = self._gaps(owner, step)
        gaps[first] = 0.0
        if gaps.sum() > LONGEST_S * len(devices):
            raise ScenarioError(
                f"data.pace: streams last {gaps.sum() / len(devices):.3g} s on average, expected less than a century"
            )
        if self._activity is not None:
            gaps = self._with_activity(self._activity, gaps, owner, step)
        ticks: npt.NDArray[np.int64] = np.rint(gaps * SECOND).astype(np.int64)
        if self._compute is not None:
            ticks += self._compute.at(owner, step)
        ticks[first] = self.starts[devices]
        # Differences of one running sum over the block: integers, hence exact.
        total = np.cumsum(ticks)
        before = self._firsts[number * BLOCK]
        self.all[before : before + len(total)] = total - np.repeat(total[first] - ticks[first], lengths)
        self._made[number] = True

    def _with_activity(self, activity: Activity, gaps: FloatArray, owner: IntArray, step: IntArray) -> FloatArray:
        """[n] gaps of which those between sessions are counted in activity, in seconds."""
        opens = self._opens(owner, step) | (step == 0)
        heads = np.flatnonzero(opens)
        inside = np.where(opens, 0.0, gaps)
        lasts = np.add.reduceat(inside, heads)
        device = owner[heads] - owner[0]
        first = np.flatnonzero(step[heads] == 0)
        place = np.arange(len(heads)) - first[device]
        starts = activity.session_starts(self._starts[owner[0] : owner[-1] + 1], gaps[heads], lasts, place, device)
        between = starts - np.concatenate([[0.0], (starts + lasts)[:-1]])
        gaps = gaps.copy()
        gaps[heads] = np.where(place > 0, between, 0.0)
        return gaps

    def _opens(self, device: IntArray, step: IntArray) -> npt.NDArray[np.bool_]:
        """[n] whether an interaction opens a session."""
        assert isinstance(self._world.pace, DrawnPace)
        return uniforms(self._seed, "session", device, step) < 1.0 / self._world.pace.session_length

    def _gaps(self, device: IntArray, step: IntArray) -> FloatArray:
        """[n] seconds since the interaction before; of no meaning at step 0."""
        world, pace = self._world, self._world.pace
        if isinstance(pace, RecordedPace):
            position = world.first[device % len(world.users)] + step
            gaps = np.asarray(world.stamps[position] - world.stamps[np.maximum(position - 1, 0)], np.float64)
            if pace.longest_gap_s is not None:
                gaps = np.minimum(gaps, pace.longest_gap_s)
            return gaps / pace.compression
        assert isinstance(pace, DrawnPace)
        normal = ndtri(uniforms(self._seed, "gap", device, step))
        opens = self._opens(device, step)
        median = np.where(opens, math.log(pace.pause_s), math.log(pace.think_time_s))
        sigma = np.where(opens, pace.pause_sigma, pace.think_time_sigma)
        return np.asarray(np.exp(np.minimum(median + sigma * normal, math.log(LONGEST_S * 2))))
