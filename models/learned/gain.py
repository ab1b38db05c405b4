"""Learned gain: what a fresh list would add to the accuracy of each of the next steps.

A small network (one hidden layer) over signals of the list held, fitted by least squares to counterfactual pairs of the
validation part: NDCG@10 with a fresh list minus that with the list held, a mean over the next steps (`models.pairs`).
`gain` sees the list alone; `gain_over_catalogue` also the coverage, for devices that hold a part of the catalogue.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from models.held import HeldSince
from models.learned import FOLDS, Arrays, Learned
from models.pairs import Pairs
from models.signals import signal

OF_LIST = (
    "age",
    "consumed",
    "drift",
    "entropy",
    "fading",
    "footrule",
    "margin",
    "motion",
    "rank_biased",
    "recent_hits",
    "recent_misses",
    "top_overlap",
)
INPUTS = {"gain": OF_LIST, "gain_over_catalogue": (*OF_LIST, "coverage", "missing_mass")}

HIDDEN = 32
UPDATES = 600
BATCH = 2048
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.1
ROWS = 200_000
"""At most so many pairs are learned from; neighbouring pairs know nearly the same."""


class Model(Learned):
    """Arrays of each fold: mean and scale [F] of the inputs, hidden [F, H], hidden_bias [H], out [H], out_bias []."""

    def __init__(self, name: str, arrays: Arrays) -> None:
        super().__init__(name, arrays)
        self._inputs = [signal(each) for each in INPUTS[name]]

    def __call__(self, held: HeldSince) -> Tensor:
        """[N] NDCG@10 a step that a fresh list is expected to add."""
        seen = torch.stack([function(held) for function in self._inputs], 1)
        gains = seen.new_zeros(len(seen))
        for fold in np.unique(held.user.cpu().numpy() % FOLDS).tolist():
            rows = held.user % FOLDS == fold
            own = {part: torch.as_tensor(values[fold]).to(seen) for part, values in self.arrays.items()}
            inner = ((seen[rows] - own["mean"]) / own["scale"]) @ own["hidden"] + own["hidden_bias"]
            gains[rows] = inner.relu() @ own["out"] + own["out_bias"]
        return gains


def fit(name: str, pairs: Pairs, blocks: object, seed: int) -> Arrays:
    """One fold's arrays."""
    draws = np.random.default_rng(seed)
    rows = draws.permutation(len(pairs.users))[:ROWS]
    seen = np.column_stack([pairs.signals[each][rows] for each in INPUTS[name]]).astype(np.float32)
    gain, weight = (pairs.fresh - pairs.kept)[rows], pairs.weights[rows]
    mean, scale = seen.mean(0), seen.std(0)
    scale[scale == 0] = 1
    unit = gain.std() or 1.0
    x = torch.from_numpy((seen - mean) / scale)
    y, w = (torch.from_numpy(values.astype(np.float32)) for values in (gain / unit, weight / weight.mean()))
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(seen.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
        optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=UPDATES + 1)
        for _ in range(UPDATES):
            batch = torch.randint(len(x), (BATCH,))
            loss = (w[batch] * (network(x[batch])[:, 0] - y[batch]).square()).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    first, last = (layer.state_dict() for layer in (network[0], network[2]))
    return {
        "mean": mean,
        "scale": scale,
        "hidden": first["weight"].T.numpy(),
        "hidden_bias": first["bias"].numpy(),
        "out": last["weight"][0].numpy() * np.float32(unit),
        "out_bias": last["bias"][0].numpy() * np.float32(unit),
    }
