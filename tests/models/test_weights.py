"""Weights are opened only where they are what the key says, and never unpickled."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models import weights
from models.llms import causal
from models.srms import build
from models.weights import Facts
from scenarios.behaviour import Behaviour
from scenarios.errors import ModelError
from scenarios.population import Population
from scenarios.schema.recommenders import CausalLlm, Srm

FACTS = Facts(validation_ndcg_at_10=0.1, epochs=3, seconds=1.5, parameters=10, bytes=40)
SPEC = Srm(width=8, layers=1, window=4)


def test_what_is_saved_comes_back() -> None:
    model, other = build(20, SPEC), build(20, SPEC)
    weights.save(model, "key", FACTS)
    weights.load(other, weights.path_of("key"))
    assert weights.read_facts("key") == FACTS
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "opt", "biogpt"])
def test_the_tied_table_of_a_language_model_is_kept_once_and_comes_back_tied(architecture: str) -> None:
    spec = CausalLlm(architecture=architecture, width=8, layers=1, heads=2, window=4)
    model, other = causal.build(20, spec), causal.build(20, spec)
    weights.save(model, "key", FACTS)
    weights.load(other, weights.path_of("key"))
    read, said = other.network.get_input_embeddings().weight, other.network.get_output_embeddings().weight
    tables = [
        each for each in load_file(weights.path_of("key")).values() if each.shape == read.shape and (each == read).all()
    ]
    assert len(tables) == 1
    read.data[0, 0] = 7.0
    assert said[0, 0] == 7.0
    assert torch.equal(said[1:], model.network.get_output_embeddings().weight[1:])


def test_nothing_there_is_nothing_known() -> None:
    assert weights.read_facts("key") is None


def test_truncated_files_are_refused() -> None:
    weights.save(build(20, SPEC), "key", FACTS)
    path = weights.path_of("key")
    whole = path.read_bytes()
    for length in (0, 5, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        for attempt in (lambda: weights.read_facts("key"), lambda: weights.load(build(20, SPEC), path)):
            with pytest.raises(ModelError, match=rf"{path}.*truncated"):
                attempt()


def test_pickles_are_refused_unopened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)  # type: ignore[return-value]

    path = weights.path_of("key")
    path.parent.mkdir(parents=True)
    torch.save({"items.weight": Trap()}, path)
    with pytest.raises(ModelError, match="no safetensors file"):
        weights.load(build(20, SPEC), path)
    with pytest.raises(ModelError, match="no weights file"):
        weights.read_facts("key")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("items", "spec", "said"),
    [
        (21, SPEC, r"items.weight is torch.float32 \[20, 8\], this model needs torch.float32 \[21, 8\]"),
        (20, SPEC.model_copy(update={"width": 16}), r"this model needs torch.float32 \[16\]"),
        (20, SPEC.model_copy(update={"layers": 2}), r"lacks blocks\.1\.\S+, which this model needs"),
        (20, SPEC.model_copy(update={"kind": "gru4rec"}), r"holds blocks\.0\.\S+, which this model does not have"),
    ],
)
def test_weights_of_another_model_are_refused(items: int, spec: Srm, said: str) -> None:
    weights.save(build(20, SPEC), "key", FACTS)
    with pytest.raises(ModelError, match=said):
        weights.load(build(items, spec), weights.path_of("key"))


def test_other_arithmetic_is_refused() -> None:
    model = build(20, SPEC)
    path = weights.path_of("key")
    path.parent.mkdir(parents=True)
    save_file({name: tensor.double() for name, tensor in model.state_dict().items()}, path)
    with pytest.raises(ModelError, match=r"is torch.float64 .* needs torch.float32"):
        weights.load(model, path)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(wrong: float) -> None:
    model = build(20, SPEC)
    with torch.no_grad():
        model.items.weight[3, 2] = wrong
    weights.save(model, "key", FACTS)
    with pytest.raises(ModelError, match=r"items.weight holds what is no number"):
        weights.load(model, weights.path_of("key"))


def test_weights_under_another_key_are_refused() -> None:
    weights.save(build(20, SPEC), "key", FACTS)
    weights.path_of("key").rename(weights.path_of("other"))
    with pytest.raises(ModelError, match="not trained for this scenario"):
        weights.read_facts("other")


def test_the_key_follows_streams_and_cuts(population: Population) -> None:
    moved = replace(population, replay_from=population.replay_from - 1)
    longer = replace(population, history_end=population.history_end - 1)
    other: Behaviour = replace(population.behaviour, digest="other")
    keys = {weights.population_key(each) for each in (population, moved, longer, replace(population, behaviour=other))}
    assert len(keys) == 4
    again = Population(population.behaviour, population.history_end.copy(), population.replay_from.copy())
    assert weights.population_key(again) == weights.population_key(population)


def test_the_key_follows_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "ROOM", tmp_path)
    digests = set()
    for text in ("a = 1\n", "a = 2\n"):
        (tmp_path / "code.py").write_text(text)
        weights.code_digest.cache_clear()
        digests.add(weights.code_digest("code.py"))
    weights.code_digest.cache_clear()
    assert len(digests) == 2


def test_saving_is_all_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*rest: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("safetensors.torch.save_file", stop)
    with pytest.raises(KeyboardInterrupt):
        weights.save(build(20, SPEC), "key", FACTS)
    assert weights.read_facts("key") is None
    assert not list(weights.path_of("key").parent.iterdir())
