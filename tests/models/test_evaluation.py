"""A model by itself: ranked as a person would with a pencil, and as the simulated fleets see it; at what price."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
import torch

from models import evaluation, sampling, srms, training
from models import trained as trained_module
from models.evaluation import Ranker, burden, ranks
from models.llms import causal, t5
from models.llms.item_codes import digits
from models.prepare import prepare
from models.srms.base import Srm
from models.srms.ttt4rec import Model as Ttt4Rec
from models.trained import trained
from scenarios.behaviour import build
from scenarios.errors import ModelError
from scenarios.population import Population
from scenarios.schema.data import LastSplit
from scenarios.schema.fleet import Fusion, WholeCatalogue
from scenarios.schema.recommenders import CausalLlm, SrmKind, T5Llm
from scenarios.schema.recommenders import Recommenders as Spec
from scenarios.schema.recommenders import Srm as SrmSpec
from scenarios.schema.training import Training
from scenarios.split import split

KINDS = (*get_args(SrmKind), "llm", "t5")
SHORT = Training(epochs=1, batch_size=8, learning_rate=0.01)
WINDOW = 8


def srm_spec(kind: str = "sasrec") -> SrmSpec:
    return SrmSpec.model_validate(
        {"kind": kind, "width": 8, "layers": 2, "window": WINDOW, "training": SHORT.model_dump()}
    )


LLM = CausalLlm(width=8, layers=1, heads=2, window=WINDOW, training=SHORT)


T5 = T5Llm(width=8, layers=1, heads=2, window=WINDOW, training=SHORT)


def untrained(kind: str, n_items: int) -> Ranker:
    torch.manual_seed(1)
    match kind:
        case "llm":
            return causal.build(n_items, LLM).eval()
        case "t5":
            return t5.build(digits(n_items), T5).eval()
    return srms.build(n_items, srm_spec(kind)).eval()


@torch.no_grad()
def scores_of(model: Ranker, history: npt.NDArray[np.int32], n_items: int) -> list[float]:
    """Each item's score: as a device goes about it item by item, or as the cloud's model is asked."""
    if not isinstance(model, Srm):
        fresh = np.setdiff1d(np.arange(n_items), history)
        [(ids, logits)] = model.candidates([history], n_items)
        assert sorted(ids.tolist()) == fresh.tolist()
        return [float(logits[ids == item][0]) if item in ids else -np.inf for item in range(n_items)]
    memory = model.start(1)
    for item in history.tolist():
        memory, state = model.step(memory, torch.tensor([item]))
    return [float(model.score(state, torch.tensor([[item]]))) for item in range(n_items)]


def with_pencil(model: Ranker, population: Population) -> list[int]:
    found = []
    for user in population.replayed.tolist():
        stream, n_items = population.behaviour.stream(user), population.behaviour.n_items
        for at in range(population.replay_from[user], len(stream)):
            scores = scores_of(model, stream[:at], n_items)
            left = set(range(n_items)) - set(stream[:at].tolist())
            order = sorted(left, key=lambda item: -scores[item])
            found.append(order.index(stream[at]) + 1 if stream[at] in left else 0)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_are_those_of_brute_force(kind: str, make_population: Callable[..., Population]) -> None:
    population = make_population(users=5)
    model = untrained(kind, population.behaviour.n_items)
    assert ranks(model, population).tolist() == with_pencil(model, population)


def test_an_item_taken_again_is_ranked_nowhere(population: Population) -> None:
    items = np.array([1, 2, 3, 1, 4, 4], np.int32)
    old = population.behaviour
    data = build("again", np.array([0, 6]), items, np.arange(6.0), old.catalogue, {})
    found = ranks(untrained("gru4rec", data.n_items), Population(data, np.array([2]), np.array([3])))
    assert (found == 0).tolist() == [True, False, True]


@pytest.mark.parametrize("kind", ["sasrec", "llm"])
def test_batches_change_nothing_and_all_are_told_of(
    kind: str, population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = untrained(kind, population.behaviour.n_items)
    whole = ranks(model, population)
    monkeypatch.setattr(evaluation, "STATES", 20)
    monkeypatch.setattr(evaluation, "CELLS", 7 * population.behaviour.n_items)
    told: list[int] = []
    assert ranks(model, population, told.append).tolist() == whole.tolist()
    assert sum(told) == len(whole)
    assert len(told) > 20


def test_scores_that_are_no_numbers_rank_nothing_first(population: Population) -> None:
    model = untrained("gru4rec", population.behaviour.n_items)
    with torch.no_grad():
        next(iter(model.parameters())).fill_(torch.nan)
    with pytest.raises(ModelError, match="no numbers"):
        ranks(model, population)


@pytest.mark.parametrize("llm", [LLM, T5], ids=lambda llm: llm.kind)
@pytest.mark.parametrize("large", [False, True])
def test_a_runs_models_are_taken_over_and_ranked_as_its_fleet_shows(
    large: bool, llm: CausalLlm | T5Llm, population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:  # a large catalogue has another loss, and another key
        for module in (sampling, trained_module):
            monkeypatch.setattr(module, "LARGE", 10)
    spec = Spec(srm=srm_spec(), llm=llm, list_length=20)
    run = prepare(population, spec, WholeCatalogue(), Fusion(alpha=1), (), print, False)
    monkeypatch.setattr(training, "train", None)  # whoever trains again fails
    users, steps = population.replayed, population.steps
    alone = run.outcomes.ranks(users, np.full_like(users, -1), np.zeros_like(users), steps[users])
    rows = np.repeat(users, steps[users])
    at = np.concatenate([np.arange(steps[user]) for user in users])
    freshest = run.outcomes.ranks(rows, at, at, at + 1)

    def within_list(spec: SrmSpec | CausalLlm | T5Llm) -> npt.NDArray[np.int64]:
        found = ranks(trained(population, spec, LLM, "", print, False)[0], population)
        return np.where(found <= 20, found, 0)

    assert within_list(spec.srm).tolist() == alone.tolist()
    assert within_list(llm).tolist() == freshest.tolist()


def test_what_is_predicted_moves_no_weight(population: Population) -> None:
    """Each user's last item is another one, and the model trained for leave-last-out stays what it was."""
    old = population.behaviour
    items = old.items.copy()
    last = old.offsets[1:] - 1
    items[last] = (items[last] + 1) % old.n_items
    made = []
    for each in (old.items, items):
        data = build("last", old.offsets, each.copy(), old.times, old.catalogue, {})
        made.append(trained(split(data, LastSplit()), srm_spec("gru4rec"), LLM, "", print, False)[0].state_dict())
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])


BYTES = {"sasrec": 2 * 2 * WINDOW * 8 * 4, "gru4rec": 2 * 8 * 4, "din": WINDOW * 8}


@pytest.mark.parametrize("kind", KINDS)
def test_state_bytes_are_what_the_paper_and_pencil_say(kind: str, population: Population) -> None:
    """SASRec: keys and values of a window in each layer; GRU4Rec: a vector a layer; DIN: the window's ids."""
    model = untrained(kind, population.behaviour.n_items)
    found = burden(model, population.behaviour.stream(0)).state_bytes
    assert found == (model.state_bytes if isinstance(model, Ttt4Rec) else BYTES.get(kind))


@pytest.mark.parametrize("kind", ["gru4rec", "llm"])
def test_milliseconds_are_of_reading_and_scoring_on_one_core(
    kind: str, population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = untrained(kind, population.behaviour.n_items)
    threads = set()

    def slower(name: str, seconds: float) -> None:
        act = getattr(model, name)

        def slow(*given: Any) -> Any:
            threads.add(torch.get_num_threads())
            time.sleep(seconds)
            return act(*given)

        monkeypatch.setattr(model, name, slow)

    monkeypatch.setattr(evaluation, "TIMED", 10)
    torch.set_num_threads(2)
    try:
        quick = burden(model, population.behaviour.stream(0)).milliseconds
        slower("step" if isinstance(model, Srm) else "encode", 0.01)
        slower("score_all", 0.02)
        slow = burden(model, population.behaviour.stream(0)).milliseconds
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert quick < 30 <= slow
    assert 1 in threads


def test_another_seed_is_another_training(population: Population) -> None:
    spec = srm_spec("gru4rec")
    other = spec.model_copy(update={"training": spec.training.model_copy(update={"seed": 1})})
    one, two = (ranks(trained(population, each, LLM, "", print, False)[0], population) for each in (spec, other))
    assert one.tolist() != two.tolist()
    assert replace(trained(population, spec, LLM, "", print, False)[1], seconds=0).epochs == 1
