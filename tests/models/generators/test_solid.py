"""SOLID's codebook: which code an item is read as, what holds codes, items and meanings, and where all begin."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models import generators
from models.generators import solid
from models.generators.solid import Meanings, Model
from scenarios.population import Population
from scenarios.schema.generators import Solid
from scenarios.schema.recommenders import Srm
from scenarios.schema.training import Training

N_ITEMS, CLUSTERS = 60, 7
SMALL = Srm(kind="gru4rec", width=8, layers=1, heads=1, window=12, dropout=0.0)
MEANINGS = torch.arange(N_ITEMS) % CLUSTERS


def made(**keys: Any) -> Model:
    torch.manual_seed(3)
    model = generators.build(N_ITEMS, SMALL, Solid(clusters=CLUSTERS, lag=0, **keys))
    assert isinstance(model, Model)
    model.begin(MEANINGS, torch.randn(CLUSTERS, 8))
    with torch.no_grad():
        model.codebook += torch.randn(CLUSTERS, 8)  # away from the meanings, which it begins as
    return model.double().eval()


def test_an_item_is_read_as_the_nearest_code() -> None:
    model = made()
    vectors = model.backbone.items.weight
    assert model.chosen(vectors).tolist() == torch.cdist(vectors, model.codebook).argmin(1).tolist()
    assert torch.equal(model.codes(vectors), model.codebook[model.chosen(vectors)])


def gradients(model: Model, loss: Tensor) -> list[Tensor]:
    """By meanings, codes and items; 0 where there is none."""
    of = (model.meanings.weight, model.codebook.requires_grad_(), model.backbone.items.weight)
    found = torch.autograd.grad(loss, of, allow_unused=True, retain_graph=True)
    return [torch.zeros_like(part) if each is None else each for each, part in zip(found, of, strict=True)]


@pytest.mark.parametrize("as_released", [False, True])
def test_meanings_move_to_codes_codes_to_items_and_items_a_little_to_codes(as_released: bool) -> None:
    """VQ-VAE's two terms, and SOLID's own, which moves meanings alone and stands alone in the released code."""
    model = made(codebook_weight=0.3, as_released=as_released)
    without = made(codebook_weight=0.0, as_released=as_released)
    items = torch.randint(N_ITEMS, (4, 9))
    items[2, 5:] = -1
    seen = items[:, :-1][items[:, 1:] >= 0]
    vectors, means = model.backbone.items(seen), model.meanings(MEANINGS[seen])
    codes = model.codebook[torch.cdist(vectors, model.codebook).argmin(1)]
    expected = functional.mse_loss(means, codes.detach())
    if not as_released:
        expected = expected + functional.mse_loss(codes, vectors.detach())
        expected = expected + 0.25 * functional.mse_loss(vectors, codes.detach())
    whole, plain = model.loss(items), without.loss(items)
    torch.testing.assert_close(whole - plain, 0.3 * expected)
    of_rest = gradients(without, plain)
    for mine, theirs, wanted in zip(gradients(model, whole), of_rest, gradients(model, expected), strict=True):
        torch.testing.assert_close(mine - theirs, 0.3 * wanted)
    pulls = [bool(each.any()) for each in gradients(model, expected)]
    assert pulls == [True, not as_released, not as_released]


@pytest.mark.parametrize("as_released", [False, True])
@torch.no_grad()
def test_a_small_correction_passes_as_it_is_and_a_large_one_up_to_the_bound(as_released: bool) -> None:
    """Of the sequence of items, on top of what the meanings say."""
    model = made(bound=0.01, as_released=as_released)
    codes = model.history(torch.randint(N_ITEMS, (4, 9)))[:, -1]
    for part in (model.corrections.weight, model.corrections.bias):
        torch.nn.init.normal_(part)
    wanted = model.corrections(codes[:, 8:])
    for size in (1e-5, 1.0, 1e5):
        for part in (model.corrections.weight, model.corrections.bias):
            part *= size
        correction = model.unrounded(codes) - model.heads(codes[:, :8])
        expected = (size * wanted).clamp(-0.01, 0.01) if as_released else 0.01 * torch.tanh(size * wanted / 0.01)
        torch.testing.assert_close(correction, expected, atol=1e-12, rtol=1e-6)
        if size < 1:
            torch.testing.assert_close(correction, size * wanted, atol=1e-9, rtol=1e-3)
        for part in (model.corrections.weight, model.corrections.bias):
            part /= size


def test_codes_meanings_and_items_begin_where_the_first_stage_ended() -> None:
    torch.manual_seed(0)
    model = generators.build(N_ITEMS, SMALL, Solid(clusters=CLUSTERS))
    assert isinstance(model, Model)
    drawn, learned = model.backbone.items.weight.detach().clone(), torch.randn(CLUSTERS, 8)
    model.begin(MEANINGS, learned)
    assert torch.equal(model.codebook, learned)
    assert torch.equal(model.meanings.weight, learned)
    assert torch.equal(model.meaning, MEANINGS)
    torch.testing.assert_close(model.backbone.items.weight, learned[MEANINGS] + drawn / 2)


@torch.no_grad()
def test_the_first_stage_gives_every_item_a_chance_its_meaning_s_part_of_it() -> None:
    torch.manual_seed(0)
    taken = np.random.default_rng(0).integers(0, 50, N_ITEMS)
    model = Meanings(SMALL, Solid(clusters=CLUSTERS), MEANINGS.numpy(), taken).double().eval()
    chances = model.score_all(torch.randn(5, 8, dtype=torch.float64)).exp()
    torch.testing.assert_close(chances.sum(1), torch.ones(5, dtype=torch.float64))
    for meaning in range(CLUSTERS):
        inside = meaning == MEANINGS
        counts = torch.from_numpy(taken[inside.numpy()] + 1.0)
        shares = chances[:, inside] / chances[:, inside].sum(1, keepdim=True)
        torch.testing.assert_close(shares, (counts / counts.sum()).expand_as(shares))


def test_the_first_stage_knows_what_was_taken_in_the_histories_and_no_more(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[np.ndarray] = []

    def first_stage(srm: Srm, spec: Solid, meaning: np.ndarray, taken: np.ndarray) -> Meanings:
        counted.append(taken)
        return Meanings(srm, spec, meaning, taken)

    monkeypatch.setattr(solid, "Meanings", first_stage)
    monkeypatch.setattr("models.training.train", lambda make, *rest, **more: (make(), None))
    generators._maker(population, SMALL, Solid(clusters=CLUSTERS), "key", print, False)
    data, end = population.behaviour, population.history_end
    histories = [data.stream(user)[: end[user]] for user in range(data.n_users)]
    assert counted[0].tolist() == np.bincount(np.concatenate(histories), minlength=N_ITEMS).tolist()


def test_nothing_of_the_replay_is_in_the_weights(make_population: Callable[..., Population]) -> None:
    people, weights = make_population(users=5), []
    short = Training(epochs=1, batch_size=8)
    for shift in (0, 7):
        data, items = people.behaviour, people.behaviour.items.copy()
        for user, begin in enumerate(data.offsets[:-1]):
            part = slice(begin + people.replay_from[user], data.offsets[user + 1])
            items[part] = (items[part] + shift) % N_ITEMS
        other = replace(people, behaviour=replace(data, items=items, digest=str(shift)))
        spec = Solid(clusters=CLUSTERS, training=short)
        weights.append(generators.trained_generator(other, SMALL, spec, print, progress=False)[0].state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
