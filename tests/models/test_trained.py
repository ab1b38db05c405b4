"""What a model is kept by and as: options for its use alone change nothing of what was learned."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import pytest
import torch

from models import training
from models.evaluation import burden
from models.llms.causal import Causal
from models.opened import open_llm, open_srm, untrained
from models.prepare import prepare
from models.srms.base import Srm
from models.trained import key, sized, train_srm, trained
from models.weights import path_of
from scenarios.errors import WriteError
from scenarios.population import Population
from scenarios.schema.fleet import Fusion, NoCatalogue
from scenarios.schema.recommenders import CausalLlm, Training
from scenarios.schema.recommenders import Recommenders as Spec
from scenarios.schema.recommenders import Srm as SrmSpec

SHORT = Training(epochs=1, batch_size=8)
LLM = CausalLlm(width=8, layers=1, heads=2, window=8, training=SHORT)
TTT = SrmSpec(kind="ttt4rec", width=8, layers=1, heads=2, window=8, training=SHORT)
OFF = TTT.model_copy(update={"options": {"updates_at_test": False}})


def test_what_is_switched_off_at_test_was_trained_with_it(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    on, _ = trained(population, TTT, LLM, "", print, False)
    monkeypatch.setattr(training, "train", None)  # whoever trains again fails
    off, facts = trained(population, OFF, LLM, "", print, False)
    assert isinstance(on, Srm)
    assert isinstance(off, Srm)
    assert all(torch.equal(value, off.state_dict()[name]) for name, value in on.state_dict().items())
    items = torch.arange(20)[None]
    assert not torch.allclose(on.encode(items), off.encode(items))
    assert facts.state_bytes == 0
    never = TTT.model_copy(update={"options": {"updates": False}})
    with pytest.raises(TypeError, match="not callable"):  # a model that never had them has to learn anew
        train_srm(population, never, LLM, "", print, False)


@pytest.mark.parametrize(
    ("srm", "expected"),
    [
        (TTT, 2 * 2 * (4 + 1) * 4 * 4),  # of 2 heads: weights of 4 x 4 with a bias, and the sum of their gradients
        (OFF, 0),
        (SrmSpec(kind="gru4rec", width=8, layers=2, heads=1, window=8, training=SHORT), 2 * 8 * 4),
    ],
)
def test_a_run_says_what_a_device_keeps(population: Population, srm: SrmSpec, expected: int) -> None:
    spec = Spec(srm=srm, llm=LLM, list_length=10)
    recommenders = prepare(population, spec, NoCatalogue(), Fusion(), (), print, False)
    assert recommenders.facts["srm"]["state_bytes"] == expected
    model = open_srm(population.behaviour.n_items, srm, recommenders.srm_key)
    assert burden(model, population.behaviour.stream(0)).state_bytes == expected


def test_a_model_to_be_measured_is_not_trained_for_that(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(training, "train", None)
        assert sized(population, LLM, print).n_items == population.behaviour.n_items
    kept, _ = trained(population, LLM, LLM, "", print, False)
    assert isinstance(kept, torch.nn.Module)
    again = sized(population, LLM, print)
    assert isinstance(again, torch.nn.Module)
    assert not again.training
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in kept.state_dict().items())


@pytest.mark.parametrize("architecture", ["gpt2", "qwen2"])
def test_a_language_model_of_any_family_learns_and_is_opened_again_as_it_was(
    architecture: str, population: Population
) -> None:
    training = Training(epochs=6, batch_size=8, learning_rate=0.01)
    spec = LLM.model_copy(update={"architecture": architecture, "width": 16, "training": training})
    fresh = untrained(population, spec, print)().eval()
    learned, facts = trained(population, spec, None, "", print, False)
    assert isinstance(learned, Causal)
    streams = [population.behaviour.stream(user)[: int(end)] for user, end in enumerate(population.history_end)]
    windows = torch.from_numpy(np.stack([each[:8] for each in streams if len(each) >= 8]).astype(np.int64))
    with torch.no_grad():
        assert learned.loss(windows) < fresh.loss(windows) - 0.1
    again = open_llm(population.behaviour.n_items, spec, key(population, spec))
    histories = [population.behaviour.stream(user) for user in range(5)]
    for (ids, scores), (others, same) in zip(
        learned.candidates(histories, 10), again.candidates(histories, 10), strict=True
    ):
        np.testing.assert_array_equal(ids, others)
        np.testing.assert_array_equal(scores, same)
    assert key(population, spec) != key(population, LLM)
    assert facts.parameters == sum(each.numel() for each in learned.parameters())


@pytest.mark.parametrize("room", [1_000, 12_000])
def test_a_disk_that_is_full_while_a_model_is_trained_is_one_line_and_costs_nothing_else(
    room: int, population: Population, files_of_at_most: Callable[[int], AbstractContextManager[None]]
) -> None:
    """Where safetensors fails, and where torch does, whose state of the optimiser is twice as large."""
    spec = SrmSpec(kind="gru4rec", width=8, layers=1, window=8, training=SHORT)
    with files_of_at_most(room), pytest.raises(WriteError, match="weights cannot be written"):
        trained(population, spec, LLM, "", print, False)
    assert not path_of(key(population, spec)).exists()
    model, _ = trained(population, spec, LLM, "", print, False)
    assert isinstance(model, Srm)
