"""The steps of a part of all streams, and what a model knows before each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.adaptation import Adapter
from models.generators.base import Cloud
from models.llms.base import Llm
from models.reading import read, spans
from models.srms.base import Srm
from scenarios.behaviour import IntArray


@dataclass(frozen=True)
class Steps:
    """One part of every stream: the replay, or the validation part.

    items: all streams, one after the other. streams: [users] where each begins. first: [users] position in the stream
    of the part's step 0, at least 1. counts: [users] steps in the part.
    """

    items: npt.NDArray[np.int32]
    streams: IntArray
    first: IntArray
    counts: IntArray

    @cached_property
    def base(self) -> IntArray:
        """[users] number of each user's step 0, where the steps of all are numbered one after the other."""
        return np.cumsum(self.counts) - self.counts

    def at(self, users: IntArray, steps: IntArray) -> IntArray:
        """Place among all items of a step's item, which ends what was seen before the step."""
        return self.streams[users] + self.first[users] + steps


class States:
    """A model's states before every step, made when a user is first met; adapted, where the device adapts its model."""

    def __init__(self, model: Srm | Llm | Cloud, steps: Steps, adapter: Adapter | None = None) -> None:
        self._model, self._steps, self._adapter = model, steps, adapter
        self._met = np.zeros(len(steps.counts), np.bool_)
        self._states: Tensor | None = None

    def encode(self, users: IntArray, device: torch.device) -> None:
        """Read the streams of these users."""
        part = self._steps
        users = np.unique(users)
        users = users[~self._met[users] & (part.counts[users] > 0)]
        if not len(users):
            return
        counts = part.counts[users]
        seen = spans(part.first[users], counts)
        begins = np.repeat(part.streams[users], counts)
        states = read(self._model.encode, part.items, begins + self._model.contexts(seen), begins + seen, device)
        if self._adapter is not None:
            states = self._adapter.adapt(states, part.items, part.streams[users], part.first[users], counts)
        if self._states is None:
            self._states = states.new_empty((int(part.counts.sum()), *states.shape[1:]))
        self._states[torch.from_numpy(spans(part.base[users], counts)).to(device)] = states
        self._met[users] = True

    def at(self, numbers: IntArray) -> Tensor:
        """[N, ...] the states before the steps of these numbers."""
        assert self._states is not None
        return self._states[torch.from_numpy(numbers).to(self._states.device)]
