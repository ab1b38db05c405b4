"""How fast the models of a scenario are: in batches, as outcomes are made (on an accelerator, where they are), and one
call at a time, as in live mode."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from models.blocks import Blocks
from models.live import Live
from models.llms.base import Llm
from models.srms.base import Srm

BATCHES = (1, 4, 16, 64, 256)
"""Windows encoded at once; which of them is fastest depends on the machine."""
STREAMS = 64
"""Streams whose lists are made."""


@dataclass(frozen=True)
class Speeds:
    """A second. positions: items that the device's model reads, in the best batch and one by one; lists: of the cloud's
    model, in batches (where the device's model also ranks a step for each) and one by one."""

    positions_batched: float
    best_batch: int
    positions_alone: float
    lists_batched: float
    lists_alone: float


@torch.no_grad()
def speeds(live: Live, batched: tuple[Srm, Llm], seconds: float) -> Speeds:
    """Measure for about so long each. batched: the models that outcomes are made by."""
    srm, llm, behaviour = live.srm, live.llm, live.population.behaviour
    assert llm is not None, "what is measured sends lists"
    in_batches, _ = batched
    window = srm.spec.window
    by_batch = {}
    for batch in BATCHES:
        block = torch.randint(srm.n_items, (batch, window), device=in_batches.items.weight.device)

        def encode(block: torch.Tensor = block) -> int:
            in_batches.encode(block)[-1, -1].cpu()  # waits for an accelerator
            return block.numel()

        by_batch[batch] = _rate(encode, seconds / len(BATCHES))
    best = max(by_batch, key=lambda batch: by_batch[batch])

    item = torch.zeros(1, dtype=torch.int64, device=srm.items.weight.device)

    def step() -> int:
        memory = srm.start(1)
        for _ in range(window):
            memory, _ = srm.step(memory, item)
        return window

    steps = live.population.steps
    users = live.population.replayed[np.linspace(0, len(live.population.replayed) - 1, STREAMS).astype(np.int64)]
    users = np.unique(users)
    rows, cuts = np.repeat(users, steps[users]), np.concatenate([np.arange(steps[user]) for user in users])

    def lists() -> int:
        parts = behaviour, live.population.replay_from, steps, *batched, live.fusion, live.part
        Blocks(*parts, live.list_length, {}).held(rows, cuts, cuts + 1)
        return len(rows)

    turn = iter(range(10**9))

    def one() -> int:
        row = next(turn) * 7919 % len(rows)  # anywhere, but the same places every time
        history = behaviour.stream(int(rows[row]))[: int(live.population.replay_from[rows[row]] + cuts[row])]
        llm.candidates([history], live.list_length)
        return 1

    return Speeds(by_batch[best], best, _rate(step, seconds), _rate(lists, seconds), _rate(one, seconds))


def _rate(work: Callable[[], int], seconds: float) -> float:
    """What a call does, a second, after a first one that warms up."""
    work()
    done, began = 0, time.perf_counter()
    while (past := time.perf_counter() - began) < seconds or not done:
        done += work()
    return done / past if past > 0 else done / (time.perf_counter() - began)
