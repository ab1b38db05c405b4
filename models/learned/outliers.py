"""Ask where the behaviour is out of the ordinary: the outlier detectors that IntellectReq compares itself with.

Local outlier factor (Breunig et al., SIGMOD 2000), one-class SVM (Schoelkopf et al., Neural Computation 13, 2001) and
isolation forest (Liu, Ting and Zhou, ICDM 2008), by scikit-learn with its defaults, over the states of the device's own
model. The paper fits one for each user's window of item vectors; here one for each fold is fitted to moments of other
users, which a device can hold: it keeps their states, and so many bytes are counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.blocks import Blocks
from models.held import HeldSince
from models.learned import FOLDS, Arrays, Learned
from models.pairs import Pairs

INPUTS: dict[str, tuple[str, ...]] = {"local_outlier_factor": (), "one_class_svm": (), "isolation_forest": ()}

ORDINARY = 512
"""Moments that are ordinary."""


class Model(Learned):
    """Arrays of each fold: ordinary [ORDINARY, width], the states that the detector is fitted to when it is opened; NaN
    where there are fewer."""

    def __init__(self, name: str, arrays: Arrays) -> None:
        super().__init__(name, arrays)
        self._detectors = [_detector(name).fit(states[~np.isnan(states[:, 0])]) for states in arrays["ordinary"]]

    def __call__(self, held: HeldSince) -> Tensor:
        """[N] how far out of the ordinary the behaviour is."""
        values = held.llm.new_zeros(len(held.age))
        # Runs of lists look at the same steps again and again: each state is judged once.
        states, whose = torch.unique(
            torch.cat([held.user[:, None].double(), held.state.flatten(1).double()], 1), dim=0, return_inverse=True
        )
        judged = np.zeros(len(states))
        folds = states[:, 0].cpu().numpy().astype(np.int64) % FOLDS
        inputs = states[:, 1:].cpu().numpy()
        for fold in np.unique(folds):
            judged[folds == fold] = -self._detectors[fold].score_samples(inputs[folds == fold])
        values += torch.from_numpy(judged).to(values)[whose]
        return values


def fit(name: str, pairs: Pairs, blocks: Blocks, seed: int) -> Arrays:
    """One fold's arrays."""
    rows = np.random.default_rng(seed).permutation(len(pairs.users))[:ORDINARY]
    states = blocks.states(pairs.users[rows], pairs.steps[rows]).flatten(1)
    ordinary = np.full((ORDINARY, states.shape[1]), np.nan)
    ordinary[: len(states)] = states.cpu().numpy()
    return {"ordinary": ordinary}


def _detector(name: str) -> Any:
    if name == "local_outlier_factor":
        from sklearn.neighbors import LocalOutlierFactor

        return LocalOutlierFactor(novelty=True)
    if name == "one_class_svm":
        from sklearn.svm import OneClassSVM

        return OneClassSVM()
    from sklearn.ensemble import IsolationForest

    return IsolationForest(random_state=0)
