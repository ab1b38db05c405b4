"""What a device makes of its own part of the catalogue, in large batches: ranks, lists, and its best items."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.catalogue import Part, by_popularity
from models.lists import best
from models.outcomes import Tell
from models.ranking import consumed, places
from models.reading import spans
from models.srms.base import Srm
from models.states import States, Steps
from scenarios.behaviour import IntArray

CELLS = 4_000_000
"""Scores in a batch."""


class OwnPart:
    """Scores its part of the catalogue with the device's model, whose states before these steps are given.

    length: of lists. kept: how many of its best items before every step are asked for, at most.
    """

    def __init__(
        self, part: Part, srm: Srm, steps: Steps, states: States, n_items: int, length: int, kept: int
    ) -> None:
        self._part, self._srm, self._steps, self._states, self._length = part, srm, steps, states, length
        self._device = srm.items.weight.device
        self._column_of = np.full(n_items, -1)
        self._column_of[part.ids] = np.arange(len(part.ids))
        self._kept = min(kept, part.vectors)
        self._known = np.zeros(len(steps.counts), np.bool_)
        self.best = torch.full((int(steps.counts.sum()), self._kept), -1, dtype=torch.int32, device=self._device)
        """[steps, K] ids of the best items before each step, -1 where there are no more; made by `choose`."""
        self.odds = torch.zeros(self.best.shape, dtype=srm.items.weight.dtype, device=self._device)
        """[steps, K] the share of each in the softmax of all scores of the part."""

    def popular(self, users: IntArray, stops: IntArray, tell: Tell | None) -> npt.NDArray[np.uint16]:
        """Ranks at the steps before stops[i] of users[i] of a device without vectors: what is popular is shown."""
        part, ranks = self._steps, np.zeros(stops.sum(), np.uint16)
        for user, stop, end in zip(users.tolist(), stops.tolist(), np.cumsum(stops).tolist(), strict=True):
            stream, first = part.items[part.streams[user] :], int(part.first[user])
            ranks[end - stop : end] = self._shown(by_popularity(self._part.places, stream, first, first + stop))
            if tell is not None:
                tell(stop)
        return ranks

    def ranks(
        self, users: IntArray, steps: IntArray, states: Tensor | None, tell: Tell | None = None
    ) -> npt.NDArray[np.uint16]:
        """[N] ranks at these steps, by these states or those of the device's model alone."""
        ranks = np.zeros(len(users), np.uint16)
        for chunk in self._batches(len(users)):
            scores = self._scores(users[chunk], steps[chunk], None if states is None else states[chunk])
            target = self._column_of[self._steps.items[self._steps.at(users[chunk], steps[chunk])]]
            rank = places(scores, self._tensor(np.maximum(target, 0))).cpu().numpy()
            ranks[chunk] = self._shown(np.where(target >= 0, rank, 0))
            if tell is not None:
                tell(len(chunk))
        return ranks

    def lists(self, users: IntArray, steps: IntArray, states: Tensor) -> tuple[Tensor, Tensor]:
        """([R, L] ids best first, -1 where there are no more; [R, L] scores, 0 there) by [R, width] states."""
        made = []
        for chunk in self._batches(len(users)):
            columns, scores = best(self._scores(users[chunk], steps[chunk], states[chunk]), self._length)
            made.append((self._tensor(self._part.ids)[columns], scores))
        ids, scores = (torch.cat(column) for column in zip(*made, strict=True))
        there = scores > -torch.inf
        return ids.where(there, -1), scores.where(there, 0)

    def choose(self, users: IntArray) -> None:
        """Find the best items before every step of these users, where they are asked for."""
        users = np.unique(users)
        users = users[~self._known[users]]
        if not self._kept or not len(users):
            return
        self._known[users] = True
        counts = self._steps.counts[users]
        rows, steps = np.repeat(users, counts), spans(np.zeros_like(counts), counts)
        for chunk in self._batches(len(rows)):
            scores = self._scores(rows[chunk], steps[chunk])
            columns, values = best(scores, self._kept)
            at = self._tensor(self._steps.base[rows[chunk]] + steps[chunk])
            self.best[at] = self._tensor(self._part.ids)[columns].where(values > -torch.inf, -1).int()
            self.odds[at] = (values - scores.logsumexp(1, keepdim=True)).exp()

    def _batches(self, rows: int) -> list[IntArray]:
        return np.array_split(np.arange(rows), max(1, -(-rows * len(self._part.ids) // CELLS)))

    def _scores(self, users: IntArray, steps: IntArray, states: Tensor | None = None) -> Tensor:
        """[N, part] scores; -inf for what the user has consumed."""
        part = self._steps
        states = self._states.at(part.base[users] + steps) if states is None else states
        scores = self._srm.score(states, self._tensor(self._part.ids)[None])
        of, gone = consumed(part.items, part.streams[users], part.at(users, steps))
        columns = self._column_of[gone]
        scores[self._tensor(of[columns >= 0]), self._tensor(columns[columns >= 0])] = -torch.inf
        return scores

    def _shown(self, ranks: IntArray) -> IntArray:
        """The same, 0 where a list ends before."""
        return np.where(ranks <= self._length, ranks, 0)

    def _tensor(self, values: IntArray) -> Tensor:
        return torch.from_numpy(values).to(self._device)
