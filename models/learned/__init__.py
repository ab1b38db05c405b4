"""Learned request signals: small models that a device runs on what it holds, trained on the validation part.

Each is trained on other users than those whose devices use it (`FOLDS`), and on what came before the replay. Its
parameters cost the device bytes, which the results count.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from scenarios.behaviour import IntArray

if TYPE_CHECKING:
    from torch import Tensor

    from models.held import HeldSince
    from models.pairs import Pairs

Arrays = Mapping[str, npt.NDArray[Any]]

NAMES = {"gain": "gain", "gain_over_catalogue": "gain"}
"""Each names a file of this folder, with `INPUTS`, `fit` and a class `Model`."""

FOLDS = 3
"""Groups of users: the devices of one use what was learned from the other two."""


class Learned(ABC):
    """A trained signal: one set of parameters for each fold, in arrays [FOLDS, ...]."""

    def __init__(self, name: str, arrays: Arrays) -> None:
        self.name, self.arrays = name, arrays

    @property
    def bytes(self) -> int:
        """What a device holds of it: one fold's parameters as float32."""
        return sum(values[0].size * 4 for values in self.arrays.values())

    @abstractmethod
    def __call__(self, held: HeldSince) -> Tensor:
        """HeldSince of N moments -> [N] values, higher where a request is worth more."""


Fit = Callable[[str, "Pairs", Callable[[IntArray, IntArray], "Tensor"]], Arrays]
"""(name, pairs, ([N] users, [N] steps) -> [N, ...] states of the device's model) -> arrays of `Learned`."""


def fold_of(users: IntArray) -> IntArray:
    """[N] group of each user. Ids are in no order that means anything, so any rule serves."""
    return users % FOLDS


def module(name: str) -> Any:
    """The file of a learned signal. Imports torch."""
    from importlib import import_module

    return import_module(f"models.learned.{NAMES[name]}")


def inputs(name: str) -> tuple[str, ...]:
    """The plain signals that a learned one looks at."""
    found: tuple[str, ...] = module(name).INPUTS[name]
    return found


def fit(name: str, pairs: Pairs, states: Callable[[IntArray, IntArray], Tensor]) -> Learned:
    """Train a signal: each fold's parameters on the pairs of the other folds' users."""
    file = module(name)
    folds = [file.fit(name, pairs.of(fold_of(pairs.users) != fold), states, fold) for fold in range(FOLDS)]
    return opened(name, {part: np.stack([np.asarray(fold[part]) for fold in folds]) for part in folds[0]})


def opened(name: str, arrays: Arrays) -> Learned:
    """A signal of these arrays."""
    model: Learned = module(name).Model(name, arrays)
    return model
