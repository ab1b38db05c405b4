"""Whatever lies in a model's folder or in the cache: no pickle's code ever runs, and what does not fit is one line."""

import ast
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from models import generators, trained, training, weights
from models.llms.checkpoint import open_network
from models.opened import open_llm, open_srm
from models.srms import build
from models.training import train
from models.validation import Validation
from scenarios.errors import ModelError
from scenarios.population import Population
from scenarios.schema.generators import Duet, Solid
from scenarios.schema.recommenders import LocalLlm, Srm, T5Llm
from scenarios.schema.stages import Retraining
from scenarios.schema.training import Training

ROOT = Path(__file__).parents[2]


class Trap:
    """Its pickle leaves a file where it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=60, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=16,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path / "llm")
    return tmp_path / "llm"


def by_itself(folder: Path, population: Population) -> None:
    open_network(AutoModelForCausalLM, folder, "text")


def in_a_scenario(folder: Path, population: Population) -> None:
    spec = LocalLlm(path=folder, window=8)
    trained.trained(population, spec, spec, "", print, False)


ENTRANCES = pytest.mark.parametrize("enter", [by_itself, in_a_scenario])
Enter = Callable[[Path, Population], None]


def refused(enter: Enter, folder: Path, population: Population, said: str) -> None:
    with pytest.raises(ModelError, match=said) as refusal:
        enter(folder, population)
    assert "\n" not in str(refusal.value)


@ENTRANCES
def test_whole_folders_are_opened(enter: Enter, folder: Path, population: Population) -> None:
    enter(folder, population)
    weights = load_file(folder / "model.safetensors")
    for part, names in enumerate((sorted(weights)[::2], sorted(weights)[1::2])):
        save_file({name: weights[name] for name in names}, folder / f"{part}.safetensors", {"format": "pt"})
    (folder / "model.safetensors").unlink()
    shards = {name: f"{place % 2}.safetensors" for place, name in enumerate(sorted(weights))}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    enter(folder, population)


@ENTRANCES
@pytest.mark.parametrize("named", ["whole.bin", "trap.bin", "../outside.safetensors", "/tmp/outside.safetensors", 5])
def test_an_index_leads_to_nothing_but_safetensors_beside_it(
    enter: Enter, named: str, folder: Path, population: Population, tmp_path: Path
) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "whole.bin")
    torch.save({"x": Trap(tmp_path / "sprung")}, folder / "trap.bin")
    save_file(weights, tmp_path / "outside.safetensors", {"format": "pt"})
    save_file(weights, folder / "other.safetensors", {"format": "pt"})
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, named)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(enter, folder, population, "expected safetensors beside it")
    assert not (tmp_path / "sprung").exists()


@ENTRANCES
@pytest.mark.parametrize("named", ["trap.bin", "inside/model.safetensors"])
def test_nor_does_a_configuration(enter: Enter, named: str, folder: Path, population: Population) -> None:
    change(folder, transformers_weights=named)
    refused(enter, folder, population, "expected safetensors beside it")


@ENTRANCES
def test_adapters_lead_to_no_other_model(enter: Enter, folder: Path, population: Population) -> None:
    (folder / "adapter_config.json").write_text("{}")
    refused(enter, folder, population, "an adapter to a model that lies elsewhere")


def change(folder: Path, **values: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


@pytest.mark.parametrize(
    "values",
    [
        {"vocab_size": "many"},
        {"vocab_size": 61},
        {"hidden_size": 16},
        {"hidden_size": -4},
        {"num_attention_heads": 0},
        {"num_hidden_layers": 2},
        {"num_key_value_heads": 0},
        {"layer_types": ["none"]},
        {"rms_norm_eps": None},
        {"hidden_act": "none"},
        {"model_type": "none", "auto_map": {"AutoModelForCausalLM": "code.Model"}},
        {"quantization_config": {"quant_method": "gptq", "bits": 4}},
        {"attn_implementation": "flash_attention_2"},
    ],
    ids=str,
)
def test_a_configuration_of_something_else_is_one_line(
    values: dict[str, Any], folder: Path, population: Population
) -> None:
    change(folder, **values)
    refused(by_itself, folder, population, "cannot be loaded|do not fit its config.json")


@ENTRANCES
def test_weights_of_another_width_are_named_and_those_that_are_no_numbers_too(
    enter: Enter, folder: Path, population: Population
) -> None:
    change(folder, hidden_size=16)
    refused(enter, folder, population, r"do not fit its config.json \(mismatched_keys: .*lm_head.weight.*\[60, 8\]")
    change(folder, hidden_size=8)
    broken = load_file(folder / "model.safetensors")
    broken["model.layers.0.mlp.down_proj.weight"][2, 3] = float("nan")
    save_file(broken, folder / "model.safetensors", {"format": "pt"})
    refused(enter, folder, population, r"hold what is no number \(model.layers.0.mlp.down_proj.weight\)")


def test_a_t5_that_names_other_items_is_one_line(population: Population) -> None:
    """More of them, two by the same tokens, or by tokens that it does not know."""
    spec = T5Llm(width=8, layers=1, heads=2, window=8, training=QUICK)
    name = trained.train_once(population, spec, "", print, False)
    path, kept = weights.path_of(name), load_file(weights.path_of(name))
    with pytest.raises(ModelError, match=f"{path}: names 60 items, but the data set has 61"):
        open_llm(61, spec, name)
    codes = kept["item_tokens"]
    for wrong, said in ((codes[:1].expand(60, -1), "the same code"), (codes + 50, "tokens beyond its 12")):
        save_file({**kept, "item_tokens": wrong.contiguous()}, path)
        with pytest.raises(ModelError, match=f"{path}: .*{said}") as refusal:
            open_llm(60, spec, name)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", "[" * 100_000])
def test_what_is_no_configuration_is_one_line(text: str, folder: Path, population: Population) -> None:
    (folder / "config.json").write_text(text)
    refused(by_itself, folder, population, "cannot be loaded")


SRM = Srm(width=8, layers=1, window=8)
SHORT = Training(epochs=2, patience=2, batch_size=8)
QUICK = Training(epochs=1, batch_size=8)


def test_a_stopped_training_is_not_a_way_in(
    make_population: Callable[..., Population], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Trainer keeps the state of optimizer and generators in files of torch; it reads them as tensors, no more."""

    population = make_population(users=6)

    def taught() -> dict[str, torch.Tensor]:
        return train(lambda: build(60, SRM), population, 8, SHORT, "key", "", silent=True)[0].state_dict()

    undisturbed = taught()
    judge, judged = Validation.ndcg_at_10, []

    def stop_in_the_second_pass(*given: Any) -> float:
        judged.append(judge(*given))
        if len(judged) == 2:
            raise KeyboardInterrupt
        return judged[-1]

    folder = cache / "training" / "key"
    with monkeypatch.context() as patched:
        patched.setattr(Validation, "ndcg_at_10", stop_in_the_second_pass)
        with pytest.raises(KeyboardInterrupt):
            taught()
    shutil.copytree(folder, tmp_path / "left")
    (left,) = folder.glob("checkpoint-*")
    tensors_and_json = {"model.safetensors", "trainer_state.json"}
    never_read = {"training_args.bin"}
    names = {path.name for path in left.iterdir()} - tensors_and_json - never_read
    assert names == {"optimizer.pt", "rng_state.pth", "scheduler.pt"}
    for name in sorted(names):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "left", folder)
        for each in (name, *never_read):
            torch.save(Trap(tmp_path / "sprung"), left / each)
        again = taught()
        assert all(torch.equal(value, again[each]) for each, value in undisturbed.items())
        assert not (tmp_path / "sprung").exists()
        assert not folder.exists()


def outcome_of(population: Population, srm: Srm, generator: Duet | Solid | None, said: list[str]) -> str:
    """Train what devices run, by a stage or within a generator; gives its key."""
    if generator is None:
        return trained.train_srm(population, srm, None, "", said.append, False)
    return generators.train_once(population, srm, generator, said.append, False)


@pytest.mark.parametrize(
    "generator", [None, Duet(training=QUICK), Solid(clusters=5, training=QUICK)], ids=["stage", "duet", "solid"]
)
def test_what_a_stage_or_a_generator_left_is_opened_as_it_was_or_not_at_all(
    generator: Duet | Solid | None, population: Population, tmp_path: Path
) -> None:
    """Of another catalogue or width, cut short, or a pickle: one line; where a scenario needs it, it is made anew."""
    said: list[str] = []
    srm = Srm(width=8, layers=1, window=8, training=QUICK, stages=() if generator else (Retraining(training=QUICK),))
    name = outcome_of(population, srm, generator, said)
    path = weights.path_of(name)
    whole = path.read_bytes()

    def opened(n_items: int, width: int) -> torch.nn.Module:
        other = srm.model_copy(update={"width": width})
        if generator is None:
            return open_srm(n_items, other, name)
        return generators.open_generator(n_items, other, generator, name)

    def line(n_items: int = 60, width: int = 8) -> str:
        with pytest.raises(ModelError) as refusal:
            opened(n_items, width)
        assert "\n" not in str(refusal.value)
        assert str(path) in str(refusal.value)
        return str(refusal.value)

    good = opened(60, 8).state_dict()
    assert "[60, 8], this model needs torch.float32 [61, 8]" in line(n_items=61)
    assert ", this model needs torch.float32 [" in line(width=16)
    save_file({**load_file(path), "adapter.scale": torch.ones(())}, path)
    assert "holds adapter.scale, which this model does not have" in line()
    path.write_bytes(whole[: len(whole) // 2])
    assert "truncated" in line()
    torch.save(dict.fromkeys(good, Trap(tmp_path / "sprung")), path)
    assert "no safetensors file" in line()
    assert not said
    assert outcome_of(population, srm, generator, said) == name
    (told,) = said
    assert "no weights file" in told
    assert told.endswith("training anew")
    assert "\n" not in told
    assert not (tmp_path / "sprung").exists()
    assert all(torch.equal(value, good[each]) for each, value in opened(60, 8).state_dict().items())


def test_no_line_of_ours_unpickles() -> None:
    """Foreign files, that is; processes of one run, and the nodes of its cluster, send each other pickles."""
    assert training.__file__.startswith(str(ROOT))
    for room in ("models", "scenarios", "simulator", "analysis"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                called = ast.unparse(node.func)
                safe = {each.arg: ast.unparse(each.value) for each in node.keywords}
                where = f"{path}:{node.lineno}"
                assert called not in ("torch.load", "pickle.load", "pickle.loads", "joblib.load", "pd.read_pickle"), (
                    where
                )
                assert called != "np.load" or safe.get("allow_pickle") == "False", where
