"""Learned request signals: small models that a device runs on what it holds, trained on the validation part.

Each is trained on other users than those whose devices use it (`FOLDS`), and on what came before the replay. Its
parameters cost the device bytes, which the results count.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from scenarios.behaviour import IntArray
from scenarios.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from models.blocks import Blocks
    from models.held import HeldSince
    from models.pairs import Pairs

Arrays = Mapping[str, npt.NDArray[Any]]

NAMES = {
    "gain": "gain",
    "gain_over_catalogue": "gain",
    "misjudgement": "intellectreq",
    "uncertainty": "intellectreq",
    "local_outlier_factor": "outliers",
    "one_class_svm": "outliers",
    "isolation_forest": "outliers",
}
"""Each names a file of this folder, with `INPUTS`, `fit` and a class `Model`."""

FOLDS = 3
"""Groups of users: the devices of one use what was learned from the other two."""


class Learned(ABC):
    """A trained signal: one set of parameters for each fold, in arrays [FOLDS, ...]."""

    def __init__(self, name: str, arrays: Arrays) -> None:
        self.name, self.arrays = name, arrays

    @abstractmethod
    def __call__(self, held: HeldSince) -> Tensor:
        """HeldSince of N moments -> [N] values, higher where a request is worth more."""


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


def fit(name: str, pairs: Pairs, blocks: Blocks) -> Arrays:
    """Train a signal: each fold's parameters on the pairs of the other folds' users.

    Raises `ModelError` where the validation part is too short for that.
    """
    file = module(name)
    if len(np.unique(fold_of(pairs.users))) < FOLDS:
        raise ModelError(
            f"data.split.validation: too short to learn the signal {name} from: {len(np.unique(pairs.users))} users "
            f"have something there, expected some in each of {FOLDS} groups"
        )
    folds = [file.fit(name, pairs.of(fold_of(pairs.users) != fold), blocks, fold) for fold in range(FOLDS)]
    return {part: np.stack([np.asarray(fold[part]) for fold in folds]) for part in folds[0]}


def size(arrays: Arrays) -> int:
    """Bytes that a device holds of a learned signal: one fold's parameters as float32."""
    return sum(values[0].size * 4 for values in arrays.values())


def opened(name: str, arrays: Arrays) -> Learned:
    """A signal of these arrays."""
    model: Learned = module(name).Model(name, arrays)
    return model
