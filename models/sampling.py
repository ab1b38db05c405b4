"""Training where the catalogue is too large to be scored as a whole at every position: the softmax is sampled.

The sum over the catalogue in the cross-entropy is estimated by importance sampling (Bengio and Senecal, IEEE TNN 19(4),
2008): negatives are drawn from q and their scores lowered by log(K q), so that the estimate is right on the average.
Half of them come by popularity, where most of the sum lies, and half evenly, so that no item is out of reach.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.catalogue import LARGE
from models.llms.causal import Causal
from models.srms.base import PAD, DotProductSrm, Srm
from scenarios.population import Population

NEGATIVES = 4096
"""In a batch, the same for all its positions."""
JUDGED = 100
"""Validation positions ranked after each pass: each takes a score of every item."""


Model = TypeVar("Model", bound=Srm | Causal)


class Negatives:
    """Where negatives come from. log_q: [items] logarithm of the chance of each draw to be that item."""

    def __init__(self, population: Population) -> None:
        behaviour = population.behaviour
        within = np.arange(len(behaviour.items)) - np.repeat(behaviour.offsets[:-1], behaviour.lengths)
        taken = behaviour.items[within < np.repeat(population.history_end, behaviour.lengths)].astype(np.int64)
        self._taken = torch.from_numpy(taken)
        self._items = behaviour.n_items
        counts = np.bincount(taken, minlength=self._items)
        self.log_q = torch.from_numpy(np.log(0.5 * counts / len(taken) + 0.5 / self._items)).to(torch.float32)

    def draw(self, number: int) -> Tensor:
        """[number] items, some of them maybe more than once."""
        popular = self._taken[torch.randint(len(self._taken), (number // 2,))]
        return torch.cat([popular, torch.randint(self._items, (number - len(popular),))])


def economical(model: Model, population: Population) -> Model:
    """The model as it is, or, where the catalogue is large, with a sampled loss and fewer positions judged.

    A model that is not a dot product in the end keeps its own loss.
    """
    if model.n_items > LARGE:
        own: Any = model
        own.JUDGED = JUDGED
        if isinstance(model, DotProductSrm | Causal):
            own.loss = partial(sampled_loss, model, Negatives(population))
    return model


def sampled_loss(model: DotProductSrm | Causal, negatives: Negatives, items: Tensor) -> Tensor:
    """[B, T] windows -> an estimate of the mean cross-entropy of each item given those before."""
    targets = items[:, 1:]
    real = targets != PAD
    states, targets = model.encode(items[:, :-1])[real], targets[real]
    table = vectors(model)
    drawn = negatives.draw(NEGATIVES).to(table.device)
    own = (states * table[targets]).sum(1, keepdim=True)
    log_q = negatives.log_q.to(table.device)[drawn]
    others = states @ table[drawn].T - (math.log(NEGATIVES) + log_q)
    others = others.masked_fill(drawn == targets[:, None], -torch.inf)
    return functional.cross_entropy(torch.cat([own, others], 1), torch.zeros_like(targets))


def vectors(model: DotProductSrm | Causal) -> Tensor:
    """[items, width] what a state meets in a dot product."""
    if isinstance(model, Causal):
        table: Tensor = model.network.get_output_embeddings().weight
        return table[: model.n_items]
    return model.items.weight
