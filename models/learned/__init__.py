"""Learned request signals: small models that a device runs on what it holds, trained on the validation part.

Each is trained on other users than those whose devices use it (`folds`), and on what came before the replay. Its
parameters cost the device bytes, which the results count.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from scenarios.behaviour import IntArray

if TYPE_CHECKING:
    from torch import Tensor

    from models.held import HeldSince

Arrays = Mapping[str, npt.NDArray[Any]]

FOLDS = 3
"""Groups of users: the devices of one use what was learned from the other two."""


def fold_of(users: IntArray) -> IntArray:
    """[N] group of each user; ids are in no order that means anything, so that any rule serves."""
    return users % FOLDS


class Learned(ABC):
    """A trained signal: one set of parameters for each fold, in one table of arrays [FOLDS, ...]."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays

    @property
    def bytes(self) -> int:
        """What a device holds of it: one fold's parameters as float32."""
        return sum(values[0].size * 4 for values in self.arrays.values())

    @abstractmethod
    def __call__(self, held: HeldSince) -> Tensor:
        """HeldSince of N moments -> [N] values, higher where a request is worth more."""


def elsewhere(users: IntArray, fold: int) -> npt.NDArray[np.bool_]:
    """[N] whose data the models for this fold may learn from."""
    return np.asarray(fold_of(users) != fold)
