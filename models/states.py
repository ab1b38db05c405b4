"""What a model knows before every step of a part of all streams."""

from __future__ import annotations

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


class States:
    """A model's states before every step, made when a user is first met; adapted, where the device adapts its model.

    base: [users] where each user's states begin. steps: [users] number of them.
    """

    def __init__(
        self, model: Srm | Llm | Cloud, base: IntArray, steps: IntArray, adapter: Adapter | None = None
    ) -> None:
        self._model, self._base, self._steps, self._adapter = model, base, steps, adapter
        self._met = np.zeros(len(steps), np.bool_)
        self._states: Tensor | None = None

    def encode(
        self, users: IntArray, items: npt.NDArray[np.int32], streams: IntArray, first: IntArray, device: torch.device
    ) -> None:
        """Read the streams of these users: items[streams[user] :], from place first[user] on."""
        users = np.unique(users)
        users = users[~self._met[users] & (self._steps[users] > 0)]
        if not len(users):
            return
        counts = self._steps[users]
        seen = spans(first[users], counts)
        begins = np.repeat(streams[users], counts)
        states = read(self._model.encode, items, begins + self._model.contexts(seen), begins + seen, device)
        if self._adapter is not None:
            states = self._adapter.adapt(states, items, streams[users], first[users], counts)
        if self._states is None:
            self._states = states.new_empty((int(self._steps.sum()), *states.shape[1:]))
        self._states[torch.from_numpy(spans(self._base[users], counts)).to(device)] = states
        self._met[users] = True

    def at(self, places: IntArray) -> Tensor:
        """[N, ...] the states at these places of the flat array of steps."""
        assert self._states is not None
        return self._states[torch.from_numpy(places).to(self._states.device)]
