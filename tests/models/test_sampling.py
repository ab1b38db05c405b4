"""The sampled softmax estimates the whole one: with many draws both say the same, also of where to go."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from models import sampling
from models.sampling import Negatives, economical, sampled_loss
from models.srms.sasrec import Model
from scenarios.behaviour import build
from scenarios.population import Population
from scenarios.schema.recommenders import Srm

ITEMS = 200


@pytest.fixture
def population() -> Population:
    draws = np.random.default_rng(0)
    lengths = np.full(40, 30)
    items = draws.zipf(1.5, lengths.sum()).clip(max=ITEMS) - 1
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    names = pd.Series(range(ITEMS)).astype(str)
    catalogue = pd.DataFrame({"label": names, "title": names, "categories": names})
    behaviour = build("made up", offsets, items.astype(np.int32), np.arange(lengths.sum(), dtype=float), catalogue, {})
    return Population(behaviour, lengths * 2 // 3, lengths * 4 // 5)


def model() -> Model:
    torch.manual_seed(0)
    return Model(ITEMS, Srm(width=8, heads=1, layers=1, dropout=0.0)).eval()


def test_the_chances_of_a_draw_are_what_draws_show(population: Population) -> None:
    torch.manual_seed(1)
    negatives = Negatives(population)
    seen = torch.bincount(negatives.draw(400_000), minlength=ITEMS) / 400_000
    assert torch.allclose(seen, negatives.log_q.exp(), atol=0.003)
    assert float(negatives.log_q.exp().sum()) == pytest.approx(1, abs=1e-5)


def test_with_many_draws_it_is_the_whole_softmax(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "NEGATIVES", 200_000)
    torch.manual_seed(2)
    small, windows = model(), torch.randint(ITEMS, (3, 9))
    estimate = sampled_loss(small, Negatives(population), windows)
    whole = small.loss(windows)
    assert estimate.item() == pytest.approx(whole.item(), rel=0.01)
    mine, theirs = (torch.autograd.grad(loss, small.items.weight)[0].flatten() for loss in (estimate, whole))
    assert functional.cosine_similarity(mine, theirs, dim=0) > 0.99


def test_only_a_large_catalogue_is_sampled(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    windows = torch.randint(ITEMS, (2, 6))
    assert economical(model(), population).loss(windows) == model().loss(windows)
    monkeypatch.setattr(sampling, "LARGE", ITEMS - 1)
    assert economical(model(), population).loss(windows) != model().loss(windows)
    assert economical(model(), population).JUDGED == sampling.JUDGED
