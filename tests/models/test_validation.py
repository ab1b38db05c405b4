"""Validation is nDCG over the whole catalogue, by hand, wherever its positions lie."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from models.llms import causal
from models.srms import build
from models.validation import Trainable, Validation
from scenarios.population import Population
from scenarios.schema.recommenders import CausalLlm, Srm

SPEC = Srm(width=16, layers=1, window=8, dropout=0.1)


def brute_ndcg(model: Trainable, population: Population) -> float:
    gains = []
    for user in range(population.behaviour.n_users):
        stream = population.behaviour.stream(user).astype(np.int64)
        for seen in range(max(1, int(population.history_end[user])), int(population.replay_from[user])):
            start = int(model.contexts(np.array([seen]))[0])
            state = model.encode(torch.from_numpy(stream[start:seen])[None])[:, -1]
            scores = model.score_all(state)[0]
            left = [item for item in range(60) if item not in set(stream[:seen].tolist())]
            order = sorted(left, key=lambda item: (-float(scores[item]), item))
            place = order.index(stream[seen]) + 1 if stream[seen] in left else 99
            gains.append(1 / np.log2(place + 1) if place <= 10 else 0.0)
    return float(np.mean(gains))


MAKERS: list[Callable[[], Trainable]] = [
    lambda: build(60, SPEC),
    lambda: build(60, SPEC.model_copy(update={"kind": "gru4rec"})),
    lambda: build(60, SPEC.model_copy(update={"kind": "din"})),
    lambda: causal.build(60, CausalLlm(width=16, layers=1, heads=2, window=8)),
]


@pytest.mark.parametrize("make", MAKERS, ids=["sasrec", "gru4rec", "din", "causal"])
@torch.no_grad()
def test_validation_is_ndcg_over_the_whole_catalogue(make: Callable[[], Trainable], population: Population) -> None:
    torch.manual_seed(1)
    model = make()
    model.eval()  # type: ignore[attr-defined]
    mine = Validation(population, 10_000).ndcg_at_10(model, torch.device("cpu"))
    assert mine == pytest.approx(brute_ndcg(model, population), abs=1e-9)


def test_a_model_that_tells_nothing_apart_gets_no_credit_for_ties(population: Population) -> None:
    model = build(60, SPEC).eval()
    torch.nn.init.zeros_(model.items.weight)
    with torch.no_grad():
        assert Validation(population, 10_000).ndcg_at_10(model, torch.device("cpu")) == pytest.approx(
            brute_ndcg(model, population), abs=1e-9
        )


def test_cut_off_at_a_limit_positions_are_spread_over_all_users(population: Population) -> None:
    few = Validation(population, 10)
    assert len(few) == 10
    assert len(np.unique(few.streams)) == 10
    assert Validation(population, 10_000).seen.sum() > few.seen.sum()
