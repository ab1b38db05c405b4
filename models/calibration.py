"""What making candidate lists takes here: each context is read anew, as a cloud that keeps nothing of a user does."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.lists import best
from models.llms.base import Llm, searching

REPETITIONS = 20
SECONDS = 5.0
"""After so long fewer are enough, but not fewer than `LEAST`."""
LEAST = 3


@dataclass(frozen=True)
class Timing:
    """Of one batch of lists. spread: distance between the quartiles of its repetitions, as a part of their median."""

    milliseconds: float
    spread: float


def lists_of(llm: Llm, histories: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """[B, n] ids -> ([B, length] ids best first, -1 where no item is left; [B, length] scores), nothing reused."""
    begin = int(llm.contexts(np.array([histories.shape[1]]))[0])
    states = llm.encode(histories[:, begin:])[:, -1]
    gone = torch.zeros(len(histories), llm.n_items, dtype=torch.bool, device=histories.device)
    gone.scatter_(1, histories, True)
    searcher = searching(llm)
    if searcher is not None:
        found = searcher.lists(states, gone, length)
        return found.items, found.scores
    ids, scores = best(llm.score_all(states).masked_fill(gone, -torch.inf), length)
    return ids.where(scores > -torch.inf, -1), scores


@torch.no_grad()
def timings(
    llm: Llm,
    precision: str,
    batches: Sequence[int],
    lengths: Sequence[int],
    list_length: int,
    tell: Callable[[int], object] | None = None,
) -> dict[tuple[int, int], Timing]:
    """By (batch size, items of each history); lists have `list_length` items, or all there are.

    llm: not in training; it is moved to an accelerator where there is one. precision: float32 or float64. Histories are
    drawn at random, as what is in them costs nothing. tell: told of each batch size and length that is done.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    llm.to(device, getattr(torch, precision))
    draws = torch.Generator().manual_seed(0)
    found = {}
    for length in lengths:
        for batch in batches:
            histories = torch.randint(llm.n_items, (batch, length), generator=draws).to(device)
            found[batch, length] = _timing(partial(lists_of, llm, histories, min(list_length, llm.n_items)))
            if tell is not None:
                tell(1)
    return found


def _timing(make: Callable[[], tuple[Tensor, Tensor]]) -> Timing:
    """The median, after one call that warms up. A list has been made when it is in the processor's memory."""
    make()[0].cpu()
    times: list[float] = []
    while len(times) < REPETITIONS and (len(times) < LEAST or sum(times) < SECONDS):
        began = time.perf_counter()
        make()[0].cpu()
        times.append(time.perf_counter() - began)
    low, median, high = np.quantile(times, (0.25, 0.5, 0.75)).tolist()
    return Timing(1000 * median, (high - low) / median)


def engine() -> str:
    """What computes here."""
    import transformers

    return f"PyTorch {torch.__version__}, transformers {transformers.__version__}"


def machine() -> str:
    """The accelerator; where there is none, the processor and how many threads compute."""
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    name = platform.processor() or platform.machine()
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    threads = torch.get_num_threads()
    return f"{name}, {threads} thread{'s' * (threads > 1)}"
