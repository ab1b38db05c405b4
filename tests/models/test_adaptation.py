"""Devices that go on training are each what they would be alone, look at nothing to come, and stay as they came where
they learn nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.adaptation import Adapter
from models.blocks import Blocks
from models.catalogue import Part, part_of
from models.evaluation import ranks
from models.head import burden
from models.live import Live
from models.live_adaptation import OwnHead
from models.llms import causal
from models.outcomes import NOTHING, OutcomeStore
from models.prepare import prepare
from models.reading import read, spans
from models.recommenders import Recommenders
from models.signals import signal
from models.srms import build
from models.srms.base import DotProductSrm, Srm
from scenarios.behaviour import build as behaviour_of
from scenarios.errors import UserError
from scenarios.population import Population
from scenarios.schema.adaptation import Adaptation, AnyAdaptation, Bias, LastLayer, LowRank, NoAdaptation
from scenarios.schema.fleet import Catalogue, Fusion, NoCatalogue, PopularCatalogue, WholeCatalogue
from scenarios.schema.recommenders import POINTWISE, CausalLlm, SrmKind
from scenarios.schema.recommenders import Recommenders as Spec
from scenarios.schema.recommenders import Srm as SrmSpec

N_ITEMS, WIDTH = 25, 8
CATALOGUES: tuple[Catalogue, ...] = (NoCatalogue(), PopularCatalogue(items=7), WholeCatalogue())


def streams(seed: int, lengths: tuple[int, ...] = (2, 9, 30, 17)) -> Population:
    """Users who take items again, the first of whom is replayed from its second item on."""
    draws = np.random.default_rng(seed)
    return of([draws.integers(N_ITEMS, size=length) for length in lengths])


def of(taken: list[np.ndarray]) -> Population:
    """Users who take these items; a third of each stream is not replayed."""
    offsets = np.concatenate([[0], np.cumsum([len(items) for items in taken])]).astype(np.int64)
    items = np.concatenate(taken).astype(np.int32)
    labels = [str(item) for item in range(N_ITEMS)]
    catalogue = pd.DataFrame({"label": labels, "title": labels, "categories": [""] * N_ITEMS})
    data = behaviour_of("adapting", offsets, items, np.arange(len(items), dtype=float), catalogue, {})
    return Population(data, data.lengths // 4, np.maximum(data.lengths // 3, 1))


def model(kind: SrmKind = "sasrec", dtype: torch.dtype = torch.float64) -> Srm:
    """Untrained, of marked opinions."""
    torch.manual_seed(5)
    made = build(N_ITEMS, SrmSpec(kind=kind, width=WIDTH, layers=1, window=6)).to(dtype).eval()
    torch.nn.init.normal_(made.items.weight, std=0.7)
    return made


@torch.no_grad()
def plain(srm: Srm, population: Population) -> Tensor:
    """[steps of all users, width] states of the model as it came."""
    steps, begins = population.steps, population.behaviour.offsets[:-1]
    ends = np.repeat(begins, steps) + spans(population.replay_from, steps)
    return read(srm.encode, population.behaviour.items, np.repeat(begins, steps), ends, torch.device("cpu"))


def together(srm: Srm, spec: Adaptation, population: Population, catalogue: Catalogue) -> Tensor:
    """[steps of all users, width] adapted states of all devices at once."""
    behaviour, part = population.behaviour, part_of(catalogue, population)
    return Adapter(srm, spec, part).adapt(
        plain(srm, population), behaviour.items, behaviour.offsets[:-1], population.replay_from, population.steps
    )


def alone(srm: Srm, spec: Adaptation, population: Population, catalogue: Catalogue) -> Tensor:
    """The same, one device and one item after the other."""
    part, found = part_of(catalogue, population), []
    for user, first in enumerate(population.replay_from.tolist()):
        stream, memory = population.behaviour.stream(user), srm.start(1)
        head = OwnHead(srm, spec, part, stream, first)
        for position, item in enumerate(stream[:-1].tolist(), 1):
            with torch.no_grad():
                memory, state = srm.step(memory, torch.tensor([item]))
            adapted = head.adapt(state)
            if position >= first:
                found.append(adapted)
    return torch.cat(found)


@st.composite
def adaptations(draw: st.DrawFn) -> Adaptation:
    spec = {
        "every": draw(st.integers(1, 9)),
        "steps": draw(st.integers(0, 4)),
        "window": draw(st.integers(1, 12)),
        "learning_rate": draw(st.sampled_from([0.02, 0.3])),
        "decay": draw(st.sampled_from([0.0, 0.5])),
    }
    low_rank = LowRank.model_validate({**spec, "rank": draw(st.integers(1, WIDTH))})
    scopes: list[Adaptation] = [Bias.model_validate(spec), LastLayer.model_validate(spec), low_rank]
    return draw(st.sampled_from(scopes))


@settings(max_examples=12)
@given(adaptations(), st.sampled_from(CATALOGUES), st.integers(0, 3))
def test_many_devices_at_once_are_each_what_they_are_alone(spec: Adaptation, catalogue: Catalogue, seed: int) -> None:
    srm, population = model(), streams(seed)
    made = together(srm, spec, population, catalogue)
    torch.testing.assert_close(made, alone(srm, spec, population, catalogue), atol=1e-9, rtol=0)


SCOPES: tuple[Adaptation, ...] = (
    Bias(every=4, window=10, learning_rate=0.3),
    LastLayer(every=4, window=10, learning_rate=0.1),
    LowRank(every=4, window=10, learning_rate=0.1, rank=3),
)


@pytest.mark.parametrize("spec", SCOPES, ids=lambda spec: spec.kind)
@pytest.mark.parametrize("kind", ["sasrec", "gru4rec", "ttt4rec"])
def test_so_they_are_in_single_precision_to_1e_5(kind: SrmKind, spec: Adaptation) -> None:
    srm, population = model(kind, torch.float32), streams(1)
    made = together(srm, spec, population, WholeCatalogue())
    torch.testing.assert_close(made, alone(srm, spec, population, WholeCatalogue()), atol=1e-5, rtol=0)
    assert (made - plain(srm, population)).abs().max() > 0.01


def test_chunks_of_devices_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    srm, population = model(), streams(2, (12, 30, 5, 21, 2, 9))
    whole = together(srm, SCOPES[1], population, WholeCatalogue())
    monkeypatch.setattr("models.adaptation.CELLS", 1)
    torch.testing.assert_close(together(srm, SCOPES[1], population, WholeCatalogue()), whole, atol=1e-12, rtol=0)


@pytest.mark.parametrize("nothing", [{"steps": 0}, {"learning_rate": 0.0}], ids=str)
@pytest.mark.parametrize("spec", SCOPES, ids=lambda spec: spec.kind)
def test_who_learns_nothing_keeps_the_model_as_it_came(spec: Adaptation, nothing: dict[str, float]) -> None:
    srm, population = model(), streams(0)
    made = together(srm, spec.model_copy(update=nothing), population, WholeCatalogue())
    assert torch.equal(made, plain(srm, population))


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda catalogue: catalogue.kind)
@pytest.mark.parametrize("spec", SCOPES, ids=lambda spec: spec.kind)
def test_nothing_to_come_is_looked_at(spec: Adaptation, catalogue: Catalogue) -> None:
    """Another item at a position changes no state before it, and some after it."""
    srm, population = model(), streams(3)
    data, part = population.behaviour, part_of(catalogue, population)
    first, steps = population.replay_from, population.steps
    of, seen = np.repeat(np.arange(len(steps)), steps), spans(first, steps)

    def adapted(items: np.ndarray) -> Tensor:
        begins = data.offsets[:-1]
        with torch.no_grad():
            states = read(srm.encode, items, begins[of], begins[of] + seen, torch.device("cpu"))
        return Adapter(srm, spec, part).adapt(states, items, begins, first, steps)

    before = adapted(data.items)
    for position in (first[2] + 3, first[2] + 4, first[2] + 7):
        other = data.items.copy()
        other[data.offsets[2] + position] = (other[data.offsets[2] + position] + 1) % N_ITEMS
        same = (adapted(other) - before).abs().amax(1) < 1e-12
        assert same[(of != 2) | (seen <= position)].all()
        assert not same[(of == 2) & (seen > position)].any()


def test_low_rank_at_full_rank_is_the_last_layer() -> None:
    """All three scopes are gradient descent on one convex loss, in nested spaces; a turned basis is the same space."""
    srm, population = model(), streams(0)
    settings = {"every": 3, "steps": 4, "window": 9, "learning_rate": 0.2, "decay": 0.3}
    full = LowRank.model_validate({**settings, "rank": WIDTH})
    one, other = (together(srm, spec, population, NoCatalogue()) for spec in (full, LastLayer(**settings)))
    torch.testing.assert_close(one, other, atol=1e-9, rtol=0)


def test_a_bias_takes_the_gradient_s_own_way_and_is_pulled_back() -> None:
    """Closed form: the gradient by the bias is what is expected less what was taken, in vectors of items."""
    srm, population = model(), streams(1, (21,))
    spec = Bias(every=100, steps=2, window=4, learning_rate=0.1, decay=0.5)
    stream, first = population.behaviour.stream(0).astype(np.int64), int(population.replay_from[0])
    vectors = srm.items.weight.detach().numpy()
    with torch.no_grad():
        states = srm.encode(torch.from_numpy(stream)[None])[0].numpy()
    window, bias = np.arange(first - 4, first), np.zeros(WIDTH)
    for _ in range(2):
        odds = np.exp((states[window - 1] + bias) @ vectors.T)
        odds /= odds.sum(1, keepdims=True)
        bias = bias - 0.1 * ((odds @ vectors - vectors[stream[window]]).mean(0) + 0.5 * bias)
    moved = (together(srm, spec, population, WholeCatalogue()) - plain(srm, population)).numpy()
    np.testing.assert_allclose(moved, np.broadcast_to(bias, moved.shape), atol=1e-12)


def test_a_head_stays_as_it_is_until_the_device_trains_again() -> None:
    srm, population = model(), streams(0, (40,))
    moved = together(srm, Bias(every=6, learning_rate=0.3), population, WholeCatalogue()) - plain(srm, population)
    changes = (moved.diff(dim=0).abs().amax(1) > 1e-9).nonzero()[:, 0] + 1
    assert changes.tolist() == list(range(6, int(population.steps[0]), 6))


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda catalogue: catalogue.kind)
def test_no_item_is_scored_that_the_device_has_no_vector_of(catalogue: Catalogue) -> None:
    """Others' vectors may be anything; the model reads them, so those of the stream's own items stay."""
    population, spec = streams(0, (12,)), SCOPES[1]
    part, own = part_of(catalogue, population), population.behaviour.stream(0)
    had = set(own.tolist()) | set(part.ids[: part.vectors].tolist())
    unknown = [item for item in range(N_ITEMS) if item not in had]
    assert bool(unknown) == (catalogue.kind != "all")
    srm = model()
    before = together(srm, spec, population, catalogue)
    with torch.no_grad():
        srm.items.weight[unknown] += 3
    assert torch.equal(together(srm, spec, population, catalogue), before)


@pytest.mark.parametrize("spec", SCOPES, ids=lambda spec: spec.kind)
def test_a_taste_that_the_model_does_not_know_is_learned(spec: Adaptation) -> None:
    """An untrained model over items of two sorts, and users of one sort each: the places of what they take rise."""
    draws = np.random.default_rng(0)
    sorts = [np.arange(N_ITEMS) % 2 == which for which in (0, 1)]
    taken = [draws.permutation(np.flatnonzero(sorts[user % 2])) for user in range(8)]
    population, srm = of(taken), model()
    with torch.no_grad():
        srm.items.weight[torch.from_numpy(sorts[0])] += 0.7
    adapted, plain = (ranks(srm, population, None, each) for each in (spec, None))
    assert np.log(adapted).mean() < np.log(plain).mean() - 0.2


class Adapting:
    """Untrained models over streams whose devices adapt, asked in batches and one by one."""

    def __init__(self, population: Population, spec: AnyAdaptation, catalogue: Catalogue) -> None:
        self.population, self.spec, self.srm = population, spec, model()
        torch.manual_seed(1)
        self.llm = causal.build(N_ITEMS, CausalLlm(width=8, layers=1, heads=2, window=8)).double().eval()
        torch.nn.init.normal_(self.llm.network.model.embed_tokens.weight)
        self.part: Part = part_of(catalogue, population)
        self.signals = {name: signal(name) for name in ("footrule", "drift", "fading")}

    def store(self, folder: Path) -> OutcomeStore:
        population = self.population
        adapter = None if isinstance(self.spec, NoAdaptation) else Adapter(self.srm, self.spec, self.part)

        def blocks() -> Blocks:
            return Blocks(
                population.behaviour, population.replay_from, population.steps, self.srm, self.llm, Fusion(alpha=0.4),
                self.part, 12, self.signals, adapter,
            )  # fmt: skip

        return OutcomeStore(population.steps, 12, tuple(self.signals), "float64", folder, blocks, print)

    def live(self) -> Live:
        return Live(
            self.population, self.srm, self.llm, Fusion(alpha=0.4), self.part, 12, self.signals, adaptation=self.spec
        )


@pytest.mark.parametrize(("spec", "catalogue"), list(zip(SCOPES, CATALOGUES, strict=True)), ids=lambda one: one.kind)
def test_outcomes_are_those_of_devices_that_live(spec: Adaptation, catalogue: Catalogue, tmp_path: Path) -> None:
    world = Adapting(streams(4), spec, catalogue)
    store, live = world.store(tmp_path / "adapted"), world.live()
    others = Adapting(streams(4), NoAdaptation(), catalogue).store(tmp_path / "plain")
    changed = 0
    for user in world.population.replayed.tolist():
        for cut in (NOTHING, 0, 3):
            if cut >= world.population.steps[user]:
                continue
            device = live.device(user)
            for step in range(max(cut, 0), int(world.population.steps[user])):
                device.look(step)
                if step == cut:
                    device.hold(cut)
                (rank,) = store.ranks(*(np.array([each]) for each in (user, cut, step, step + 1)))
                assert rank == device.rank()
                changed += rank != others.ranks(*(np.array([each]) for each in (user, cut, step, step + 1)))[0]
                for name, value in (device.signals() if cut != NOTHING else {}).items():
                    assert store.signal(name, user, cut, step, step + 1)[0] == pytest.approx(value, abs=1e-9)
    assert changed


def test_a_model_by_itself_is_evaluated_as_its_devices_adapt_it(tmp_path: Path) -> None:
    world = Adapting(streams(4), SCOPES[1], WholeCatalogue())
    users = world.population.replayed
    steps = world.population.steps[users]
    store = world.store(tmp_path)
    lived = store.ranks(users, np.full_like(users, NOTHING), np.zeros_like(users), steps)
    by_itself = ranks(world.srm, world.population, None, SCOPES[1])
    assert np.where(by_itself <= store.answer_items, by_itself, 0).tolist() == lived.tolist()
    assert by_itself.tolist() != ranks(world.srm, world.population).tolist()


def test_a_step_that_pulls_back_more_than_was_learned_is_refused() -> None:
    with pytest.raises(ValueError, match=r"learning_rate \* decay is 1\.5"):
        Bias(learning_rate=3, decay=0.5)


def small(population: Population, spec: AnyAdaptation, kind: SrmKind = "sasrec") -> Recommenders:
    short = {"epochs": 1, "batch_size": 8}
    recommenders = Spec.model_validate(
        {
            "srm": {"kind": kind, "width": WIDTH, "layers": 1, "window": 6, "training": short},
            "llm": {"kind": "causal", "width": 8, "layers": 1, "heads": 2, "window": 8, "training": short},
            "list_length": 12,
        }
    )
    return prepare(population, recommenders, WholeCatalogue(), Fusion(), (), print, False, spec)


def test_the_same_weights_serve_and_outcomes_are_kept_apart(make_population: Callable[..., Population]) -> None:
    made = [small(make_population(users=5), spec) for spec in (NoAdaptation(), *SCOPES, Bias(steps=1))]
    assert len({each.srm_key for each in made}) == 1
    assert len({each.key for each in made}) == len({each.learned_key for each in made}) == len(made)


def test_a_summary_says_what_a_head_takes(make_population: Callable[..., Population]) -> None:
    population = make_population(users=5)
    assert "device_adaptation" not in small(population, NoAdaptation()).facts
    for spec in SCOPES:
        told = small(population, spec).facts["device_adaptation"]
        head = OwnHead(model(), spec, part_of(WholeCatalogue(), population), population.behaviour.stream(0), 1)
        learned = sum(each.numel() for each in head._learned)
        given = 0 if head._inner is None else head._inner.numel()
        of_item = WIDTH + WIDTH + 1  # state, vector, id
        assert told == {"parameters": learned, "bytes": 4 * (2 * learned + given + spec.window * of_item)}
    assert burden(LowRank(rank=4), 64).bytes < burden(LastLayer(), 64).bytes


def test_what_cannot_be_learned_is_refused_before_anything_is_trained(
    make_population: Callable[..., Population], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.trained.train_once", None)
    with pytest.raises(UserError, match=r"fleet\.adaptation: bias .* recommenders\.srm\.kind din .* expected none"):
        small(make_population(users=5), Bias(), "din")
    with pytest.raises(UserError, match=r"fleet\.adaptation\.rank: 9 .* expected at most 8"):
        small(make_population(users=5), LowRank(rank=9))


@pytest.mark.parametrize("kind", SrmKind.__args__)  # type: ignore[attr-defined]
def test_pointwise_models_are_those_without_a_dot_product(kind: SrmKind) -> None:
    assert isinstance(model(kind), DotProductSrm) == (kind not in POINTWISE)
