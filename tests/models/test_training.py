"""Training looks at the histories alone, stops at its best, goes on where it was stopped, and leaves no trace."""

import logging
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models import training
from models.llms import causal
from models.srms import build
from models.training import train
from models.validation import Trainable, Validation
from models.windows import Windows
from scenarios.behaviour import build as behaviour_of
from scenarios.errors import ModelError
from scenarios.population import Population
from scenarios.schema.recommenders import CausalLlm, Srm
from scenarios.schema.training import Training

SPEC = Srm(width=16, layers=1, window=8, dropout=0.1)
SHORT = Training(epochs=4, patience=4, batch_size=8, learning_rate=0.01)


def trained(population: Population, spec: Training = SHORT, key: str = "key") -> tuple[dict[str, Tensor], float, int]:
    model, facts = train(lambda: build(60, SPEC), population, SPEC.window, spec, key, "training", silent=True)
    return model.state_dict(), facts.validation_ndcg_at_10, facts.epochs


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_learns_what_there_is_to_learn(population: Population) -> None:
    _, ndcg, _ = trained(population, Training(epochs=40, patience=10, batch_size=8, learning_rate=0.01))
    untrained = Validation(population, 10_000).ndcg_at_10(build(60, SPEC).eval(), torch.device("cpu"))
    assert ndcg > untrained + 0.15


def test_no_model_sees_the_replay_part(population: Population) -> None:
    data = population.behaviour
    items = data.items.copy()
    for user in range(data.n_users):
        replay = slice(data.offsets[user] + population.replay_from[user], data.offsets[user + 1])
        items[replay] = np.random.default_rng(user).permutation(60)[: len(items[replay])]
    other = behaviour_of(data.name, data.offsets.copy(), items, data.times.copy(), data.catalogue, {})
    changed = Population(other, population.history_end, population.replay_from)
    weights, ndcg, _ = trained(population)
    weights_of_changed, ndcg_of_changed, _ = trained(changed)
    assert (items != data.items).any()
    assert same(weights, weights_of_changed)
    assert ndcg == ndcg_of_changed


def test_stopped_and_resumed_is_undisturbed(
    population: Population, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, ndcg, passes = trained(population)
    judge, judged = Validation.ndcg_at_10, []

    def stop_in_the_third_pass(self: Validation, model: Trainable, device: torch.device) -> float:
        judged.append(judge(self, model, device))
        if len(judged) == 3:
            raise KeyboardInterrupt
        return judged[-1]

    monkeypatch.setattr(Validation, "ndcg_at_10", stop_in_the_third_pass)
    with pytest.raises(KeyboardInterrupt):
        trained(population)
    assert list((cache / "training" / "key").glob("checkpoint-*"))
    again, ndcg_again, passes_again = trained(population)
    assert len(judged) == 3 + 2  # passes 3 and 4 alone were run after the stop
    assert same(weights, again)
    assert (ndcg, passes) == (ndcg_again, passes_again)
    assert not (cache / "training" / "key").exists()


def test_a_damaged_checkpoint_means_training_anew(population: Population, cache: Path) -> None:
    weights, _, _ = trained(population)
    left = cache / "training" / "key" / "checkpoint-3"
    left.mkdir(parents=True)
    (left / "trainer_state.json").write_text("{")
    again, _, _ = trained(population)
    assert same(weights, again)


@pytest.mark.parametrize("stops", [(2,), (2, 3)])
def test_an_error_later_on_loses_no_pass(
    stops: tuple[int, ...], population: Population, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, say: what was reached is kept, whether the training was fresh or had gone on from a stop."""
    weights, _, passes = trained(population)
    judge, judged = Validation.ndcg_at_10, []

    def fail(self: Validation, model: Trainable, device: torch.device) -> float:
        judged.append(judge(self, model, device))
        if len(judged) in stops:
            raise OSError("no space left on device")
        return judged[-1]

    monkeypatch.setattr(Validation, "ndcg_at_10", fail)
    for _ in stops:
        with pytest.raises(OSError, match="no space"):
            trained(population)
    again, _, _ = trained(population)
    assert len(judged) == passes + len(stops)  # only the passes that failed were run twice
    assert same(weights, again)


def test_early_stopping_keeps_the_best_pass(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float, Tensor]] = []
    script = iter([0.1, 0.3, 0.2, 0.25, 0.9])

    def scripted(self: Validation, model: nn.Module, device: torch.device) -> float:
        seen.append((next(script), model.get_parameter("items.weight").detach().clone()))
        return seen[-1][0]

    monkeypatch.setattr(Validation, "ndcg_at_10", scripted)
    weights, ndcg, passes = trained(population, SHORT.model_copy(update={"epochs": 9, "patience": 2}))
    assert (ndcg, passes, len(seen)) == (0.3, 4, 4)
    assert torch.equal(weights["items.weight"], seen[1][1])


def test_what_is_kept_is_the_running_mean(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []
    update = training.AveragedModel.update_parameters

    def record(self: training.AveragedModel, model: nn.Module) -> None:
        seen.append(model.get_parameter("items.weight").detach().clone())
        update(self, model)

    monkeypatch.setattr(training.AveragedModel, "update_parameters", record)
    monkeypatch.setattr(Validation, "ndcg_at_10", lambda self, model, device: 0.5)
    weights, _, _ = trained(population, SHORT.model_copy(update={"epochs": 1}))
    mean = seen[0]
    for batch, weight in enumerate(seen[1:], start=1):
        share = max(1 / 200, 10 / (10 + batch))
        mean = (1 - share) * mean + share * weight
    torch.testing.assert_close(weights["items.weight"], mean, atol=1e-6, rtol=1e-5)
    assert len(seen) == len(Windows(population, SPEC.window, SHORT.batch_size, 0))


def test_global_random_states_and_the_terminal_are_left_alone(
    population: Population, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def states() -> tuple[object, list[int], list[int]]:
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002

    said: list[logging.LogRecord] = []
    listener = logging.Handler()
    monkeypatch.setattr(listener, "emit", said.append)
    monkeypatch.setattr(logging.getLogger("transformers"), "handlers", [listener])
    random.seed(5)
    before = states()
    monkeypatch.setattr(os.path, "getmtime", lambda path: 1.0)  # a coarse file system makes the Trainer talk
    trained(population)
    assert states() == before
    assert capfd.readouterr() == ("", "")
    assert not said


def test_divergence_is_one_clear_line(population: Population) -> None:
    with pytest.raises(ModelError, match=r"training diverged: a lower .*learning_rate"):
        trained(population, Training(epochs=3, learning_rate=1e30, batch_size=8))


def test_the_llm_trains_too_and_its_tied_table_survives(population: Population) -> None:
    spec = CausalLlm(width=16, layers=1, heads=2, window=8, dropout=0.1)
    model, facts = train(lambda: causal.build(60, spec), population, 8, SHORT, "llm", "training", silent=True)
    assert model.network.lm_head.weight.data_ptr() == model.network.model.embed_tokens.weight.data_ptr()
    held = {parameter.data_ptr(): parameter.numel() for parameter in model.parameters()}
    assert facts.parameters == sum(held.values())
    assert facts.validation_ndcg_at_10 == Validation(population, 10_000).ndcg_at_10(model, torch.device("cpu"))
