"""What is asked of a large model, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from models.llms.beam import Found
from scenarios.behaviour import IntArray


class Llm(Protocol):
    """Lists of candidates from histories: in batches for `models.blocks`, one by one for `models.live`."""

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""

    def contexts(self, seen: IntArray) -> IntArray:
        """Where in its stream the model begins to read for a state after so many items."""

    def encode(self, items: Tensor) -> Tensor:
        """[B, T] ids (right-padded with -1) -> [B, T, ...] states after each item, which look at nothing after it."""

    def score_all(self, states: Tensor) -> Tensor:
        """[N, ...] states -> [N, n_items] scores of the next item."""

    def candidates(
        self, histories: Sequence[npt.NDArray[np.integer]], length: int
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
        """(ids, scores), best first, for each history: real items, none twice, none of the history's."""

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """As `nn.Module` has it."""


@runtime_checkable
class Searching(Llm, Protocol):
    """One that may search its lists instead of scoring every item, and may then miss some of the best."""

    @property
    def searched(self) -> bool:
        """Whether it does."""

    def lists(self, states: Tensor, gone: Tensor, length: int) -> Found:
        """The best items after [N, ...] states, without those that [N, n_items] gone marks."""


def searching(llm: Llm) -> Searching | None:
    """The model where its lists are searched; None where every item is scored."""
    return llm if isinstance(llm, Searching) and llm.searched else None
