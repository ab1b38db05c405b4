"""What a pass of training reads: batches of windows of the histories."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from models.reading import spans
from models.srms.base import PAD
from scenarios.behaviour import IntArray
from scenarios.population import Population


class Windows(Dataset[dict[str, Tensor]]):
    """Batches of windows cut from the histories at places drawn anew for each pass, of about equal length each.

    A window of up to `length` targets is placed evenly over a stream, its ends reaching beyond the stream's, so that
    every position is as often a target as any other and contexts of all lengths are met. Pass e is a function of
    (seed, e) alone, which makes a resumed training the same as an undisturbed one.

    A batch is `items` [B, T], right-padded with `PAD`, and `places` [B, T], where in the flat array of all streams each
    item stands (meaningless at the padding).
    """

    def __init__(self, population: Population, length: int, batch_size: int, seed: int) -> None:
        self.behaviour = population.behaviour
        self.length, self.batch_size, self.seed = length, batch_size, seed
        targets = population.history_end - 1
        users = np.flatnonzero(targets > 0)
        self.users = np.repeat(users, -(-targets[users] // length) + 1)
        self.targets = targets[self.users]
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draw the windows of a pass; the Trainer calls this."""
        draws = np.random.default_rng((self.seed, epoch))
        placed = draws.integers(1 - self.length, self.targets)
        begins, ends = np.maximum(placed, 0), np.minimum(placed + self.length, self.targets)
        self.begins = self.behaviour.offsets[self.users] + begins
        self.lengths = ends - begins + 1
        order = draws.permutation(len(self.users))
        pool = 8 * self.batch_size
        batches: list[IntArray] = []
        for start in range(0, len(order), pool):
            members = order[start : start + pool]
            members = members[np.argsort(self.lengths[members], kind="stable")]
            batches += [members[k : k + self.batch_size] for k in range(0, len(members), self.batch_size)]
        self.batches = [batches[k] for k in draws.permutation(len(batches))]
        self.targets_a_batch = float((self.lengths - 1).sum()) / len(batches)

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rows = self.batches[index]
        lengths = self.lengths[rows]
        columns = np.arange(lengths.max())
        block = np.full((len(rows), len(columns)), PAD, np.int64)
        block[columns < lengths[:, None]] = self.behaviour.items[spans(self.begins[rows], lengths)]
        places = self.begins[rows][:, None] + columns
        return {"items": torch.from_numpy(block), "places": torch.from_numpy(places)}
