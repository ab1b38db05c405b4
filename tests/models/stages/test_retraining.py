"""Pooled re-training learns from what is newer than the history, and from nothing of the replay."""

from dataclasses import replace

import numpy as np
import torch

from models.opened import open_srm
from models.stages.retraining import newer
from models.trained import train_srm
from scenarios.behaviour import build as behaviour_of
from scenarios.population import Population
from scenarios.schema.recommenders import CausalLlm, Srm
from scenarios.schema.stages import Retraining
from scenarios.schema.training import Training

SHORT = Training(epochs=1, batch_size=8)
SRM = Srm(width=8, layers=1, window=8, training=SHORT)
STAGED = SRM.model_copy(update={"stages": (Retraining(held_out=0.3, training=SHORT),)})


def with_other(population: Population, first: np.ndarray, last: np.ndarray) -> Population:
    """The same with other items at positions first .. last - 1 of each stream."""
    data = population.behaviour
    items = data.items.copy()
    for user in range(data.n_users):
        part = slice(data.offsets[user] + first[user], data.offsets[user] + last[user])
        items[part] = np.random.default_rng(user).permutation(60)[: len(items[part])]
    other = behaviour_of(data.name, data.offsets.copy(), items, data.times.copy(), data.catalogue, {})
    return Population(other, population.history_end, population.replay_from)


def weights(population: Population) -> torch.Tensor:
    name = train_srm(population, STAGED, CausalLlm(), "training", print, progress=False)
    return open_srm(60, SRM, name).items.weight


def test_history_grows_into_the_validation_part_and_leaves_some_of_it(population: Population) -> None:
    grown = newer(population, 0.3)
    part = population.replay_from - population.history_end
    assert (grown.replay_from == population.replay_from).all()
    held_out = grown.replay_from - grown.history_end
    assert (held_out >= 0.3 * part).all()
    assert (held_out < 0.3 * part + 1).all()
    assert (grown.history_end[part > 1] > population.history_end[part > 1]).all()


def test_what_is_replayed_is_never_seen_but_what_is_newest_before_it_is(population: Population) -> None:
    same = with_other(population, population.replay_from, population.behaviour.lengths)
    assert torch.equal(weights(population), weights(same))
    grown = newer(population, 0.3)
    changed = with_other(population, population.history_end, grown.history_end)
    plain = Training(epochs=1, patience=1, batch_size=8)
    assert plain.epochs == 1
    one = open_srm(60, SRM, train_srm(population, SRM, CausalLlm(), "training", print, progress=False))
    other = open_srm(60, SRM, train_srm(changed, SRM, CausalLlm(), "training", print, progress=False))
    assert torch.equal(one.items.weight, other.items.weight), "one pass of stage 1 knows the history alone"
    assert not torch.equal(weights(population), weights(changed))
    assert replace(population) == population
