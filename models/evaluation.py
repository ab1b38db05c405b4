"""What a model is worth by itself, apart from any fleet: its ranks over the whole catalogue, and what it asks of a
device.

Every item of the catalogue that the user has not consumed yet is ranked, as in the simulated fleets, and no negatives
are sampled. So do Klenitskiy and Vasilev, whose numbers are the published ones to stand beside (RecSys 2023, arXiv
2309.07602; `filter_seen` is on in the settings of their code). An item taken a second time is ranked nowhere: rank 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.adaptation import Adapter
from models.catalogue import part_of
from models.llms.base import Llm
from models.ranking import consumed, places
from models.reading import read, spans
from models.srms.base import Srm
from scenarios.behaviour import IntArray
from scenarios.errors import ModelError
from scenarios.population import Population
from scenarios.schema.adaptation import Adaptation
from scenarios.schema.fleet import WholeCatalogue

STATES = 20_000
"""States held at once."""
CELLS = 4_000_000
"""Scores of a whole catalogue in a batch."""
TIMED = 100
"""Interactions that are timed, once the model's window is full."""

Tell = Callable[[int], object]
Ranker = Srm | Llm


@torch.no_grad()
def ranks(
    model: Ranker, population: Population, tell: Tell | None = None, adaptation: Adaptation | None = None
) -> IntArray:
    """[sum of steps] rank of each replayed item given all before it, user by user; 0 where it was consumed before.

    model: not in training; it is moved to an accelerator where there is one. tell: told how many are done since the
    last time. adaptation: how each user's device goes on training the model, which is one of a device then, as it lives
    through the part that is replayed. Raises `ModelError` where scores are no numbers.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    behaviour, steps = population.behaviour, population.steps
    items, users = behaviour.items, population.replayed
    adapter = None
    if adaptation is not None:
        assert isinstance(model, Srm)
        adapter = Adapter(model, adaptation, part_of(WholeCatalogue(), population))
    made: list[npt.NDArray[np.int64]] = []
    for some in np.array_split(users, min(len(users), -(-int(steps.sum()) // STATES))):
        counts = steps[some]
        streams, seen = np.repeat(behaviour.offsets[some], counts), spans(population.replay_from[some], counts)
        ends = streams + seen
        states = read(model.encode, items, streams + model.contexts(seen), ends, device)
        if adapter is not None:
            states = adapter.adapt(states, items, behaviour.offsets[some], population.replay_from[some], counts)
        for rows in np.array_split(np.arange(len(ends)), -(-len(ends) * behaviour.n_items // CELLS)):
            scores = model.score_all(states[torch.from_numpy(rows).to(device)])
            if not scores.isfinite().all():
                raise ModelError("the model gives scores that are no numbers")
            of, gone = consumed(items, streams[rows], ends[rows])
            scores[torch.from_numpy(of).to(device), torch.from_numpy(gone).to(device)] = -torch.inf
            targets = torch.from_numpy(items[ends[rows]].astype(np.int64)).to(device)
            made.append(places(scores, targets).cpu().numpy())
            if tell is not None:
                tell(len(rows))
    return np.concatenate(made)


@dataclass(frozen=True)
class Burden:
    """What a model asks of whoever runs it for one user, on one core of this machine.

    milliseconds: median for an interaction: one more item is read, and the whole catalogue is scored. state_bytes: kept
    between two interactions, as it lies in memory; None for a model that keeps nothing and reads its context anew.
    """

    milliseconds: float
    state_bytes: int | None


@torch.no_grad()
def burden(model: Ranker, stream: npt.NDArray[np.int32]) -> Burden:
    """Of a user who lives through this stream, over and over. model: on the processor, not in training."""
    if isinstance(model, Srm):
        memory, taken = model.start(1), cycle([torch.tensor([item]) for item in stream.tolist()])

        def interact() -> None:
            nonlocal memory
            memory, state = model.step(memory, next(taken))
            model.score_all(state)

        for item in islice(taken, model.spec.window):
            memory, _ = model.step(memory, item)
        return Burden(_median_ms(interact), state_bytes(model))

    begin = int(model.contexts(np.array([len(stream)]))[0])
    context = torch.from_numpy(stream[begin:].astype(np.int64))[None]
    return Burden(_median_ms(lambda: model.score_all(model.encode(context)[:, -1])), None)


@torch.no_grad()
def state_bytes(model: Srm) -> int:
    """What a device keeps between two interactions once the model's window is full, as it lies in memory."""
    memory, item = model.start(1), torch.zeros(1, dtype=torch.int64, device=model.items.weight.device)
    for _ in range(model.spec.window):
        memory, _ = model.step(memory, item)
    return _bytes(memory)


def _median_ms(interact: Callable[[], object]) -> float:
    """Median over some interactions, fewer of a model that takes seconds for them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        interact()
        times: list[float] = []
        while len(times) < TIMED and (len(times) < 5 or sum(times) < 2):
            began = time.perf_counter()
            interact()
            times.append(time.perf_counter() - began)
    finally:
        torch.set_num_threads(threads)
    return 1000 * median(times)


def _bytes(memory: Any) -> int:
    """Of all tensors in nested tuples; a count of items beside them is not counted."""
    if isinstance(memory, Tensor):
        return memory.nbytes
    return sum(map(_bytes, memory)) if isinstance(memory, tuple) else 0
