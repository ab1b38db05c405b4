"""Heads are functions of one user's history, learn or stay as told, and mean what SOLID says they mean."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from models import generators, weights
from models.generators.base import Generator
from models.generators.solid import Model as SolidModel
from models.generators.wire import rounded
from models.srms.base import PAD
from models.training import train
from scenarios.errors import ModelError
from scenarios.population import Population
from scenarios.schema.generators import Duet, Solid
from scenarios.schema.generators import Generator as Spec
from scenarios.schema.recommenders import Srm
from scenarios.schema.training import Training

N_ITEMS = 60
SMALL = Srm(kind="gru4rec", width=8, layers=1, heads=1, window=12, dropout=0.0)
ONE_PASS = Training(epochs=1, batch_size=8, learning_rate=0.02)
SPECS: Sequence[Spec] = (Duet(), Duet(layers=1, wire="int8"), Solid(clusters=7, bound=0.5), Solid(as_released=True))


def opinionated(spec: Spec, srm: Srm = SMALL) -> Generator:
    """An untrained one whose heads say something, not in training."""
    torch.manual_seed(3)
    made = generators.build(N_ITEMS, srm, spec)
    for name, part in made.named_parameters():
        if name.startswith(("heads", "corrections")):
            torch.nn.init.normal_(part, std=0.5)
    if isinstance(made, SolidModel):
        clusters = torch.arange(N_ITEMS) % made.solid.clusters
        made.begin(clusters, torch.randn(made.solid.clusters, SMALL.width))
    return made.double().eval()


def heads(model: Generator, items: Tensor) -> Tensor:
    """[B, T] -> [B, n, d + 1, d] of the last place."""
    return model.generate(model.history(items)[:, -1])


@pytest.mark.parametrize("spec", SPECS, ids=repr)
def test_a_head_is_of_one_history_alone(spec: Spec) -> None:
    """Users get heads of their own, and the same ones in a batch as alone."""
    model, items = opinionated(spec), torch.randint(N_ITEMS, (5, 9))
    together = heads(model, items)
    assert together.shape == (5, spec.layers, 9, 8)
    assert len(together.flatten(1).unique(dim=0)) == 5
    for row in range(5):
        torch.testing.assert_close(heads(model, items[row : row + 1])[0], together[row], rtol=0, atol=1e-12)


@pytest.mark.parametrize("spec", SPECS, ids=repr)
def test_encoding_is_a_fresh_head_at_every_place(spec: Spec) -> None:
    """Each place's head knows of nothing behind it, and the device's state passes through its two layers as said."""
    model, items = opinionated(spec), torch.randint(N_ITEMS, (3, 9))
    items[1, 5:] = PAD
    states = model.encode(items)
    for row, length in enumerate((9, 5, 9)):
        for t in range(length):
            seen = items[row : row + 1, : t + 1]
            state = model.backbone.encode(seen)[0, -1]
            passed = state
            for layer, matrix in enumerate(heads(model, seen)[0]):
                passed = (passed.tanh() if layer else passed) @ matrix[:-1] + matrix[-1]
            expected = passed if spec.as_released else state + passed
            torch.testing.assert_close(states[row, t], expected)


@pytest.mark.parametrize("spec", SPECS[:2], ids=repr)
def test_a_head_arrives_as_its_wire_leaves_it(spec: Spec) -> None:
    """Wherever it is used, in the store as on a device: training alone knows it as it was made."""
    model = opinionated(spec)
    codes = model.history(torch.randint(N_ITEMS, (5, 9)))[:, -1]
    sent, arrived = model.unrounded(codes), model.generate(codes)
    assert torch.equal(arrived, rounded(sent, spec.wire))
    assert not torch.equal(arrived, sent)


@torch.no_grad()
def test_it_learns_with_a_head_and_without() -> None:
    """A device's first interactions have none."""
    model, items = opinionated(Duet(lag=0)), torch.randint(N_ITEMS, (3, 9))
    items[1, 5:] = PAD
    targets = items[:, 1:][items[:, 1:] != PAD]
    losses = [
        cross_entropy(model.score_all(encode(items[:, :-1])[items[:, 1:] != PAD]), targets)
        for encode in (model.encode, model.backbone.encode)
    ]
    assert float(losses[0]) != pytest.approx(float(losses[1]))
    torch.testing.assert_close(model.loss(items), losses[0] + losses[1], rtol=1e-6, atol=0)


@pytest.mark.parametrize("spec", [Duet(), Solid(bound=0.5)], ids=repr)
def test_training_begins_at_the_static_model(spec: Spec) -> None:
    torch.manual_seed(0)
    model, items = generators.build(N_ITEMS, SMALL, spec).eval(), torch.randint(N_ITEMS, (3, 9))
    torch.testing.assert_close(model.encode(items), model.backbone.encode(items))


@pytest.mark.parametrize("lag", [0, 1, 3, 20])
def test_training_meets_heads_of_all_ages_up_to_the_lag(lag: int) -> None:
    model, items = opinionated(Duet(lag=lag)), torch.randint(N_ITEMS, (2, 8))
    states, codes = model.backbone.encode(items), model.history(items)
    run = min(lag + 1, 8)
    phases = []
    for early in range(run):
        made_at = torch.tensor([max((t + early) // run * run - early, 0) for t in range(8)])
        assert (torch.arange(8) - made_at).max() <= lag
        by_place = model.unrounded(codes[:, made_at]).flatten(0, 1)
        phases.append(model.personal(by_place, states.flatten(0, 1)[:, None]).view(2, 8, 8))
    met = set()
    for seed in range(12 * run):
        torch.manual_seed(seed)
        lagging = model._lagging(states, codes)
        met.add(next(n for n, phase in enumerate(phases) if torch.allclose(lagging, phase)))
    assert met == set(range(run))


@pytest.mark.parametrize("spec", [Duet(heads_trainable=True), Duet(heads_trainable=False), Solid(as_released=True)])
def test_heads_learn_or_stay_as_drawn(spec: Spec, population: Population) -> None:
    """The released code holds them where its optimiser does not look; either way the reader before them learns."""
    made: list[dict[str, Tensor]] = []

    def make() -> Generator:
        model = generators.build(N_ITEMS, SMALL, spec)
        made.append({name: part.clone() for name, part in model.state_dict().items()})
        return model

    trained, _ = train(make, population, 12, ONE_PASS, "heads", "", silent=True)
    moved = {name for name, part in trained.state_dict().items() if not torch.equal(part, made[0][name])}
    learns = spec.heads_trainable and not spec.as_released
    assert ({"heads.weight", "heads.bias"} <= moved) == learns
    assert not learns or made[0]["heads.weight"][-1].abs().max() == 0
    assert learns or not {name for name in moved if name.startswith(("heads", "corrections", "codebook"))}
    assert {name for name in moved if "gru.weight" in name and not name.startswith("backbone")}
    optimised = {name for name, part in trained.named_parameters() if part.requires_grad}
    assert ("heads.weight" in optimised) == learns


def same_meanings(model: SolidModel) -> tuple[Tensor, Tensor]:
    """Two histories of unlike items, of unlike codes, with the same meanings."""
    torch.nn.init.normal_(model.backbone.items.weight)
    items = torch.randint(N_ITEMS - model.solid.clusters, (1, 9))
    return items, items + model.solid.clusters


def test_without_a_correction_a_head_is_of_the_meanings_alone() -> None:
    bare, corrected = opinionated(Solid(clusters=7, bound=0)), opinionated(Solid(clusters=7, bound=0.01))
    assert isinstance(bare, SolidModel)
    assert isinstance(corrected, SolidModel)
    one, other = same_meanings(bare)
    corrected.load_state_dict(bare.state_dict())
    torch.testing.assert_close(heads(bare, one), heads(bare, other), rtol=0, atol=0)
    apart = heads(corrected, one) - heads(corrected, other)
    assert 0 < apart.abs().max() <= 0.02
    assert (heads(corrected, one) - heads(bare, one)).abs().max() <= 0.01 + 1e-6  # as float32 has it


def test_released_corrections_stand_at_the_clamp() -> None:
    """What the reference found in the released code, and what the bound of ours is there for."""
    items = torch.randint(N_ITEMS, (40, 9))
    at_the_bound = {}
    for released in (True, False):
        torch.manual_seed(0)
        model = generators.build(N_ITEMS, Srm(kind="gru4rec", width=32, layers=1), Solid(as_released=released)).eval()
        assert isinstance(model, SolidModel)
        correction = model.unrounded(model.history(items)[:, -1]) - model.heads(model.history(items)[:, -1, :32])
        at_the_bound[released] = float((correction[:, 0].abs() > 0.0099).float().mean())
    assert at_the_bound[True] > 0.95
    assert at_the_bound[False] < at_the_bound[True]


@pytest.mark.parametrize("as_released", [False, True])
def test_gradients_reach_items_through_their_codes_unless_as_released(as_released: bool) -> None:
    model = opinionated(Solid(clusters=7, bound=0.5, as_released=as_released))
    heads(model, torch.randint(N_ITEMS, (4, 9))).square().sum().backward()
    gradient = model.backbone.items.weight.grad
    assert (gradient is None or not gradient.abs().max()) == as_released


def test_codes_are_in_use_after_training(population: Population, make_population: Callable[..., Population]) -> None:
    """As many as there are clusters, more or less evenly: perplexity over items, and over what users took."""
    spec = Solid(clusters=8, bound=0.1, training=Training(epochs=3, batch_size=8, learning_rate=0.01))
    model, _ = generators.trained_generator(population, SMALL, spec, print, progress=False)
    assert isinstance(model, SolidModel)
    chosen = model.chosen(model.backbone.items.weight)
    for codes in (chosen, chosen[torch.from_numpy(population.behaviour.items.astype(np.int64))]):
        shares = torch.bincount(codes, minlength=8) / len(codes)
        assert float(-(shares * shares.clamp(min=1e-9).log()).sum()) > np.log(4)


def test_other_weights_are_refused(population: Population) -> None:
    spec = Duet(training=ONE_PASS)
    name = generators.train_once(population, SMALL, spec, print, progress=False)
    opened = generators.open_generator(N_ITEMS, SMALL, spec, name)
    facts = weights.read_facts(name)
    assert facts is not None
    assert facts.parameters == sum(part.numel() for part in opened.parameters())
    own = sum(part.numel() for part in opened.backbone.parameters())
    assert weights.size_within(name, "backbone.") == weights.Size(own, 4 * own)
    for n_items, srm, other, told in (
        (N_ITEMS + 1, SMALL, spec, r"backbone.items.weight is .*\[60, 8\], this model needs .*\[61, 8\]"),
        (N_ITEMS, SMALL, Duet(layers=3), r"heads.bias is .* this model needs"),
        (N_ITEMS, SMALL, Solid(), "which this model needs"),
    ):
        with pytest.raises(ModelError, match=told):
            generators.open_generator(n_items, srm, other, name)
    weights.path_of(name).write_bytes(weights.path_of(name).read_bytes()[:-9])
    with pytest.raises(ModelError, match="truncated"):
        generators.open_generator(N_ITEMS, SMALL, spec, name)


def test_each_setting_of_a_head_has_a_key_of_its_own(population: Population) -> None:
    specs = (Duet(), Duet(lag=2), Duet(as_released=True), Solid(), Solid(bound=0.1))
    assert len({generators.key(population, SMALL, spec) for spec in specs}) == len(specs)
    assert generators.key(population, SMALL, Duet()) == generators.key(population, SMALL, Duet(wire="int8"))
    longer = SMALL.model_copy(update={"training": Training(epochs=3)})  # the generator's own training counts
    assert generators.key(population, SMALL, Duet()) == generators.key(population, longer, Duet())


def test_a_model_without_a_state_to_put_it_on_is_refused() -> None:
    with pytest.raises(ModelError, match="din has no state"):
        generators.build(N_ITEMS, Srm(kind="din"), Duet())
