"""Read many stretches of streams in large batches: one pass over a stretch serves every position that ends in it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.srms.base import PAD
from scenarios.behaviour import IntArray

TOKENS = 8192
"""Positions in a batch, padding included: large enough to fill the cores, small enough for their caches."""


def spans(starts: IntArray, lengths: IntArray) -> IntArray:
    """The integers of many ranges, one range after the other: starts[i] .. starts[i] + lengths[i] - 1."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())


def read(
    encode: Callable[[Tensor], Tensor],
    items: npt.NDArray[np.int32],
    begins: IntArray,
    ends: IntArray,
    device: torch.device,
    progress: Callable[[int], object] = lambda positions: None,
) -> Tensor:
    """[N, ...] the states after items[begins[i] : ends[i]], on `device`.

    encode: [B, T] ids, right-padded, to [B, T, ...] states, none of which looks to its right; so that stretches with
    the same beginning are read once. progress: told the number of positions after each batch.
    """
    heads, stretch = np.unique(begins, return_inverse=True)
    tails = np.zeros_like(heads)
    np.maximum.at(tails, stretch, ends)
    lengths = tails - heads
    by_length = np.argsort(lengths, kind="stable")
    members = np.argsort(stretch, kind="stable")
    counts = np.bincount(stretch, minlength=len(heads))
    first_member = np.cumsum(counts) - counts
    states: Tensor | None = None
    done = 0
    while done < len(heads):
        # Lengths rise, so the longest stretch of a batch is its last one.
        size = 1
        while done + size < len(heads) and (size + 1) * lengths[by_length[done + size]] <= TOKENS:
            size += 1
        batch = by_length[done : done + size]
        block = np.full((size, lengths[batch[-1]]), PAD, np.int64)
        block[np.arange(block.shape[1]) < lengths[batch][:, None]] = items[spans(heads[batch], lengths[batch])]
        encoded = encode(torch.from_numpy(block).to(device))
        asked = members[spans(first_member[batch], counts[batch])]
        rows = np.repeat(np.arange(size), counts[batch])
        columns = ends[asked] - begins[asked] - 1
        picked = encoded[torch.from_numpy(rows).to(device), torch.from_numpy(columns).to(device)]
        if states is None:
            states = picked.new_empty((len(begins), *picked.shape[1:]))
        states[torch.from_numpy(asked).to(device)] = picked
        progress(int(lengths[batch].sum()))
        done += size
    if states is None:
        raise ValueError("nothing to read")
    return states
