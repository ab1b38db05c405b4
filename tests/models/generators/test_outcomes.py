"""The store says of generated parameters what the models say one by one: alone, and beside a list."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from models import generators
from models.blocks import Blocks
from models.catalogue import part_of
from models.generators.solid import Model as SolidModel
from models.live import Live
from models.llms import causal
from models.outcomes import NOTHING, OutcomeStore
from models.prepare import prepare
from models.signals import NAMES, signal
from scenarios.errors import UserError
from scenarios.population import Population
from scenarios.schema.fleet import Catalogue, Fusion, NoCatalogue, PopularCatalogue, WholeCatalogue
from scenarios.schema.generators import Duet, Solid
from scenarios.schema.generators import Generator as Spec
from scenarios.schema.recommenders import CausalLlm, Recommenders, Srm, SrmKind
from scenarios.schema.stages import Retraining
from scenarios.schema.training import Training

N_ITEMS, LENGTH = 60, 12


@pytest.fixture
def population(make_population: Callable[..., Population]) -> Population:
    return make_population(users=5)


def both_ways(
    population: Population,
    spec: Spec,
    catalogue: Catalogue,
    listed: bool,
    kind: SrmKind = "sasrec",
    folder: Path = Path(),
) -> tuple[OutcomeStore, Live]:
    """Untrained models of marked opinions, in batches and one by one."""
    torch.manual_seed(4)
    generator = generators.build(N_ITEMS, Srm(kind=kind, width=8, layers=1, window=6), spec)
    for part in generator.parameters():
        torch.nn.init.normal_(part, std=0.4)
    if isinstance(generator, SolidModel):
        generator.meaning.copy_(torch.arange(N_ITEMS) % 5)
    llm = causal.build(N_ITEMS, CausalLlm(width=8, layers=1, heads=2, window=8)) if listed else None
    for model in (generator, llm):
        if model is not None:
            model.double().eval()
    names = [
        name for name in NAMES if name not in ("coverage", "missing_mass") or not isinstance(catalogue, NoCatalogue)
    ]
    signals, part = {name: signal(name) for name in names}, part_of(catalogue, population)
    srm, fusion = generator.backbone, Fusion(alpha=0.3)

    def blocks() -> Blocks:
        first, steps = population.replay_from, population.steps
        given = (population.behaviour, first, steps, srm, llm, fusion, part, LENGTH, signals)
        return Blocks(*given, generator=generator)

    store = OutcomeStore(population.steps, LENGTH * listed, names, "float64", folder, blocks, print)
    return store, Live(population, srm, llm, fusion, part, LENGTH, signals, generator=generator)


@pytest.mark.parametrize(
    ("spec", "catalogue", "listed", "kind"),
    [
        (Duet(), WholeCatalogue(), False, "sasrec"),
        (Duet(wire="int8"), PopularCatalogue(items=25), False, "gru4rec"),
        (Duet(as_released=True), PopularCatalogue(items=8), True, "gru4rec"),
        (Solid(clusters=5, bound=0.3), NoCatalogue(), True, "sasrec"),
        (Solid(clusters=5, wire="fp16"), PopularCatalogue(items=8), False, "gru4rec"),
    ],
    ids=lambda value: getattr(value, "kind", str(value)),
)
def test_the_store_is_the_oracle(
    population: Population, cache: Path, spec: Spec, catalogue: Catalogue, listed: bool, kind: SrmKind
) -> None:
    store, live = both_ways(population, spec, catalogue, listed, kind, cache)
    changed = 0
    for user in population.replayed.tolist():
        steps = int(population.steps[user])
        for cut in range(NOTHING, steps):
            device, from_step = live.device(user), max(cut, 0)
            if cut != NOTHING:
                device.hold(cut)
            ranks = []
            for step in range(from_step, steps):
                device.look(step)
                ranks.append(device.rank())
                if cut != NOTHING:
                    for name, value in device.signals().items():
                        assert store.signal(name, user, cut, step, step + 1)[0] == pytest.approx(value, abs=1e-6), name
            found = store.ranks(*(np.array([n]) for n in (user, cut, from_step, steps)))
            assert found.tolist() == ranks
            alone = store.ranks(*(np.array([n]) for n in (user, NOTHING, from_step, steps)))
            changed += int((found != alone).sum())
    assert changed > 5  # heads say something


def test_a_fresh_answer_of_parameters_has_nothing_to_complain_of(population: Population, cache: Path) -> None:
    """The device's order of the list is then the order in which it was made; later its state has moved on."""
    store, _ = both_ways(population, Duet(), WholeCatalogue(), listed=False, folder=cache)
    users = population.replayed[population.steps[population.replayed] > 3].tolist()
    assert all(store.signal("footrule", user, cut, cut, cut + 1)[0] == 0 for user in users for cut in range(3))
    assert any(store.signal("footrule", user, 0, 3, 4)[0] > 0 for user in users)


def test_parameters_alone_need_a_catalogue(population: Population) -> None:
    spec = Recommenders(llm=None, generator=Duet())
    with pytest.raises(UserError, match="so that the device has nothing"):
        prepare(population, spec, NoCatalogue(), Fusion(), (), print, progress=False)


def test_something_has_to_be_sent() -> None:
    with pytest.raises(ValueError, match="nothing to send"):
        Recommenders(llm=None)


@pytest.mark.parametrize(
    ("srm", "told"), [(Srm(kind="din"), "din has no state"), (Srm(stages=(Retraining(),)), "must be empty")]
)
def test_the_device_s_model_has_to_fit_a_generator(srm: Srm, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Recommenders(srm=srm, generator=Duet())


@pytest.mark.parametrize("listed", [False, True])
def test_a_scenario_s_generator_is_trained_and_told_of(population: Population, listed: bool) -> None:
    quick = Training(epochs=1, batch_size=8)
    spec = Recommenders(
        srm=Srm(kind="gru4rec", width=8, layers=1, window=6),
        llm=CausalLlm(width=8, layers=1, heads=2, window=8, training=quick) if listed else None,
        generator=Duet(wire="fp16", training=quick),
        list_length=LENGTH,
    )
    made = prepare(population, spec, WholeCatalogue(), Fusion(), ("footrule",), print, progress=False)
    users = population.replayed
    made.outcomes.ensure(users, users * 0, population.steps[users])
    assert made.outcomes.answer_items == LENGTH * listed
    assert made.parameter_bytes == 2 * 2 * (8 * 8 + 8)
    facts = made.facts
    assert facts["parameter_bytes"] == made.parameter_bytes
    assert ("llm" in facts) == listed
    assert len(made.parcel()) == 1 + listed
    with_all, backbone = facts["generator"]["parameters"] + facts["srm"]["parameters"], facts["srm"]["parameters"]
    assert 0 < backbone < with_all
    coarser = spec.model_copy(update={"generator": Duet(wire="int8", training=quick)})
    rounded = prepare(population, coarser, WholeCatalogue(), Fusion(), ("footrule",), print, progress=False)
    assert rounded.srm_key == made.srm_key  # one training serves every precision, but not its outcomes
    assert rounded.key != made.key
    assert facts["srm"]["bytes_without_item_vectors"] == 4 * (backbone - N_ITEMS * 8)
    assert facts["srm"]["state_bytes"] == 4 * 8
