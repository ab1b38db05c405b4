"""The request rule of LSC4Rec's released code, for reproduction: one score for 16 users, who ask together or not.

    score = D + (4 + 0.3 n_pad) ^ 2

D is the mean over all items left in the 16 lists of how far the device's own order displaces each; n_pad counts the
empty places of all of them. The paper tells of neither the second term nor the batch (docs/lsc4rec.md).

The code runs through users, 16 at a time in the order of the data set, all with lists of one age. Here devices decide
alone, at moments of their own. So the signal of (user, cut, step) is the score that the user's batch would have if each
member stood at this step with a list of this cut; a member whose stream is over by then has no say. Members on the same
path see the same scores, and decide alike.

An empty place has no place in the device's order; the code ranks it as item 0, wherever its model puts that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models.layer import Layer
from models.outcomes import SHORTEST, OutcomeStore
from scenarios.behaviour import FloatArray, IntArray

if TYPE_CHECKING:
    from models.blocks import Made

NAME = "lsc4rec_code"
SEEN = ("footrule", "pads", "remaining")
"""What each member's own list says, of which scores are made."""
USERS = 16
"""Of a batch."""

Make = Callable[[IntArray, IntArray, IntArray], "Made"]
"""Outcomes of (users[i], cuts[i], step) for cuts[i] <= step < stops[i], of the signals `SEEN`."""


def score(displacement: FloatArray, real: FloatArray, n_pad: FloatArray) -> FloatArray:
    """Of batches: displacements added up, items left, and empty places. Constants of the released code."""
    mean = displacement / np.maximum(real, 1)
    return np.asarray(mean + np.square(4 + 0.3 * n_pad))


def displaced(footrule: npt.NDArray[Any], remaining: npt.NDArray[Any]) -> FloatArray:
    """Displacements added up, whole numbers, from their rounded mean and how many there are."""
    return np.asarray(np.rint(footrule.astype(np.float64) * remaining))


class Batches(Layer):
    """A store of outcomes that also knows the score of a user's batch.

    replayed: users in the order of the data set, of whom each 16 are a batch.
    """

    def __init__(self, below: OutcomeStore | Layer, replayed: IntArray) -> None:
        super().__init__(below)
        self._members = in_batches(replayed)
        self._batch = np.full(len(below.steps), -1)
        for batch, members in enumerate(self._members):
            self._batch[members] = batch
        self._scores: dict[tuple[int, int], FloatArray] = {}

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which adds up anew."""
        return {**self.__dict__, "_scores": {}}

    def ensure(self, users: IntArray, cuts: IntArray, until: IntArray) -> None:
        """See `Outcomes`; for all members of a batch in the same stroke."""
        held = cuts >= 0
        alike = self._batch[users[held]] * (int(self.steps.max()) + 1) + cuts[held]
        rows, which = np.unique(alike, return_index=True)
        longest = np.zeros(len(rows), np.int64)
        np.maximum.at(longest, np.searchsorted(rows, alike), until[held])
        beside = _beside(self._members, self._batch[users[held][which]], cuts[held][which], longest, self.steps)
        beside_nothing = (users[~held], cuts[~held], until[~held])
        self._below.ensure(*map(np.concatenate, zip(beside[1:], beside_nothing, strict=True)))

    def signal(self, name: str, user: int, cut: int, start: int, stop: int) -> npt.NDArray[Any]:
        """See `Outcomes`."""
        if name != NAME:
            return self._below.signal(name, user, cut, start, stop)
        batch = int(self._batch[user])
        known = self._scores.get((batch, cut))
        if known is None or len(known) < stop - cut:
            known = self._scores[batch, cut] = self._add_up(batch, cut, stop)
        return known[start - cut : stop - cut]

    def _add_up(self, batch: int, cut: int, stop: int) -> FloatArray:
        """The scores of a batch from a cut on, to this step or some further ones."""
        members = self._members[batch]
        members = members[self.steps[members] > cut]
        size = min(max(SHORTEST, 1 << int(stop - cut - 1).bit_length()), int(self.steps[members].max()) - cut)
        ends = np.minimum(cut + size, self.steps[members])
        self._below.ensure(members, np.full_like(members, cut), ends)
        displacement, real, n_pad = np.zeros((3, size))
        for member, end in zip(members.tolist(), ends.tolist(), strict=True):
            footrule, pads, remaining = (self._below.signal(name, member, cut, cut, end) for name in SEEN)
            displacement[: end - cut] += displaced(footrule, remaining)
            real[: end - cut] += remaining
            n_pad[: end - cut] += pads
        return score(displacement, real, n_pad)


def in_batches(users: IntArray) -> list[IntArray]:
    """Each 16 of them, in their order; the last may be fewer."""
    return [users[start : start + USERS] for start in range(0, len(users), USERS)]


def usual(make: Make, replayed: IntArray, steps: IntArray, oldest: int, lists: int) -> FloatArray:
    """Scores over one part of every stream, each as often as members meet it: lists of ages up to `oldest`.

    steps: [users] of the part. lists: at most so many are looked at, spread evenly.
    """
    members = in_batches(replayed)
    cuts = [np.arange(steps[each].max()) for each in members]
    batches = np.repeat(np.arange(len(members)), [len(each) for each in cuts])
    every = np.concatenate(cuts)
    some = np.linspace(0, len(every) - 1, min(len(every), max(1, lists // USERS))).astype(np.int64)
    row, users, cut, stops = _beside(members, batches[some], every[some], every[some] + oldest + 1, steps)
    made = make(users, cut, stops)
    counts = stops - cut
    age = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    moment = np.repeat(row, counts) * (oldest + 1) + age
    footrule, pads, remaining = (made.signals[name] for name in SEEN)
    displacement, real, n_pad = (
        np.bincount(moment, each).astype(np.float64) for each in (displaced(footrule, remaining), remaining, pads)
    )
    return np.asarray(score(displacement, real, n_pad)[moment])


def _beside(
    members: list[IntArray], batches: IntArray, cuts: IntArray, stops: IntArray, steps: IntArray
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Rows (batch, cut, stop) -> (row, user, cut, stop) of every member whose stream reaches beyond the cut."""
    sizes = np.array([len(members[batch]) for batch in batches], np.int64)
    row = np.repeat(np.arange(len(batches)), sizes)
    users = np.concatenate([np.empty(0, np.int64), *(members[batch] for batch in batches)])
    there = steps[users] > cuts[row]
    row, users = row[there], users[there]
    return row, users, cuts[row], np.minimum(stops[row], steps[users])
