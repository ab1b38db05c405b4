"""One device that goes on training its own model, alone: the oracle of `models.adaptation`, with plain autograd.

Nothing is shared with it but what the schema says and the main directions of the items' vectors.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adaptation import directions
from models.catalogue import Part
from models.srms.base import Srm
from scenarios.schema.adaptation import Adaptation


class OwnHead:
    """What one device adds to its model's states; it learns as the device lives."""

    def __init__(self, srm: Srm, spec: Adaptation, part: Part, stream: npt.NDArray[np.int32], first: int) -> None:
        """stream: the device's items. first: position of step 0 in it, at least 1."""
        self._spec, self._part, self._stream, self._first = spec, part, stream, first
        self._vectors = srm.items.weight.detach()
        width = self._vectors.shape[1]
        self._inner = directions(srm, spec) if spec.kind == "low_rank" else None
        learned = [self._vectors.new_zeros(width)]
        if spec.kind != "bias":
            learned.append(self._vectors.new_zeros(width, width if self._inner is None else len(self._inner)))
        self._learned = [nn.Parameter(each) for each in learned]
        self._optimizer = torch.optim.SGD(self._learned, lr=spec.learning_rate, weight_decay=spec.decay)
        self._states: list[Tensor] = []

    def adapt(self, state: Tensor) -> Tensor:
        """[1, width] the model's state after one more item, from the first on -> the adapted one.

        Re-trains before the steps at which the device does.
        """
        self._states.append(state)
        step = len(self._states) - self._first
        if step >= 0 and step % self._spec.every == 0:
            self._train(len(self._states))
        with torch.no_grad():
            return self._shown(state)

    def _shown(self, states: Tensor) -> Tensor:
        shown = states + self._learned[0]
        if len(self._learned) == 1:
            return shown
        return shown + (states if self._inner is None else states @ self._inner.T) @ self._learned[1].T

    def _train(self, seen: int) -> None:
        """On the last items of so many seen, the first of all left out: there is no state before it."""
        positions = np.arange(max(1, seen - self._spec.window), seen)
        if not len(positions):
            return
        states = torch.cat([self._states[position - 1] for position in positions])
        taken = self._stream[positions].astype(np.int64)
        scored = np.union1d(self._part.ids[: self._part.vectors], taken)
        vectors = self._vectors[torch.from_numpy(scored).to(self._vectors.device)]
        targets = torch.from_numpy(np.searchsorted(scored, taken)).to(vectors.device)
        with torch.enable_grad():
            for _ in range(self._spec.steps):
                self._optimizer.zero_grad()
                loss = functional.cross_entropy(self._shown(states) @ vectors.T, targets)
                loss.backward()  # type: ignore[no-untyped-call]
                self._optimizer.step()
