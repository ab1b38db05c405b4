"""A pretrained network starts from what it knows; what should is tuned and kept; lists hold what they should."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from small_llama import WORDS, write
from transformers import BertConfig, BertForMaskedLM, LlamaForCausalLM

from models import trained, weights
from models.llms import located, tuning
from models.llms.causal import context_starts
from models.llms.pretrained import Pretrained, build, open_tuned
from models.reading import read
from scenarios.behaviour import Behaviour
from scenarios.errors import ModelError
from scenarios.population import Population
from scenarios.schema.pretrained import PretrainedLlm
from scenarios.schema.training import Training

MEASURED = {"base", "spread", "shift"}
"""What is kept, but neither tuned nor counted."""
TITLES = ("heat", "toy story", "alien", "the story of a toy", "", "two heat", "alien two")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "base")


@pytest.fixture
def streams(population: Population) -> Population:
    """With words for titles, one in seven without."""
    behaviour = population.behaviour
    titles = [TITLES[item % len(TITLES)] for item in range(behaviour.n_items)]
    rows = {"label": behaviour.catalogue["label"], "title": titles, "categories": ""}
    return replace(population, behaviour=replace(behaviour, catalogue=pd.DataFrame(rows), digest="titled"))


def spec(folder: Path, **settings: Any) -> PretrainedLlm:
    usual: dict[str, Any] = {"window": 8, "dropout": 0.0, "precision": "float32", "rank": 2}
    training = Training(epochs=1, learning_rate=0.01)
    return PretrainedLlm(model=str(folder), **{"training": training, **usual, **settings})


def made(behaviour: Behaviour, folder: Path, **settings: Any) -> Pretrained:
    torch.manual_seed(1)
    return build(behaviour, spec(folder, **settings), announce=lambda _: None).eval()


def tuned(streams: Population, asked: PretrainedLlm) -> tuple[Any, Path]:
    model, _ = trained.trained(streams, asked, asked, "", print, progress=False)
    return model, weights.path_of(trained.key(streams, asked))


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def tensors_in(path: Path) -> dict[str, torch.Tensor]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@pytest.mark.parametrize("tied", [True, False])
def test_items_start_at_the_mean_of_their_titles_words(streams: Population, tmp_path: Path, tied: bool) -> None:
    model = made(streams.behaviour, write(tmp_path / "other", tied=tied))
    network = LlamaForCausalLM.from_pretrained(tmp_path / "other")
    tables = [(model.vocabulary.items, network.model.embed_tokens.weight)]
    assert (model.said is None) == tied
    if model.said is not None:
        tables.append((model.said.weight, network.lm_head.weight))
    for vectors, words in tables:
        for item in range(streams.behaviour.n_items):
            if title := TITLES[item % len(TITLES)]:
                mean = torch.stack([words[WORDS.index(word)] for word in title.split()]).mean(0)
                torch.testing.assert_close(vectors[item], mean)
        untitled = vectors[TITLES.index("") :: len(TITLES)]
        assert len(untitled.unique(dim=0)) == len(untitled)
        assert ((untitled - words.mean(0)).abs() < 0.5 * words.std(0)).all()


def enlarged(model: Pretrained, folder: Path, **settings: Any) -> Any:
    """The network of the folder, its vocabulary enlarged by transformers itself."""
    network = LlamaForCausalLM.from_pretrained(folder, **settings).eval()
    added = model.vocabulary.added.weight
    network.resize_token_embeddings(len(WORDS) + len(added), mean_resizing=False)
    network.get_input_embeddings().weight[len(WORDS) :] = added
    return network


@torch.no_grad()
@pytest.mark.parametrize("prompt", ["", "the story of a toy"])
@pytest.mark.parametrize("targets", [("q_proj", "v_proj"), ()])
def test_before_tuning_it_is_the_network_with_more_tokens(
    streams: Population, folder: Path, targets: tuple[str], prompt: str
) -> None:
    model = made(streams.behaviour, folder, targets=targets, prompt=prompt)
    network, items = enlarged(model, folder), torch.tensor([[0, 5, 2, 7]])
    begin, first = len(WORDS), len(WORDS) + 1
    words = [WORDS.index(word) for word in prompt.split()]
    tokens = torch.cat([torch.tensor([[begin, *words]]), first + items], 1)
    read = network.get_input_embeddings()(tokens)
    torch.testing.assert_close(model.vocabulary(tokens), read, rtol=0, atol=0)
    torch.testing.assert_close(read[0, 0], network.get_input_embeddings().weight[WORDS.index("<s>")])
    hidden = (model.encode(items) - model.shift) * model.spread
    states = network.model(tokens).last_hidden_state[:, 1 + len(words) :]
    torch.testing.assert_close(hidden, states)
    logits = network(tokens).logits[:, 1 + len(words) :, first:]
    torch.testing.assert_close(model.score_all(hidden) * hidden.shape[-1] ** 0.25, logits)


@torch.no_grad()
def test_layers_are_kept_from_the_first(streams: Population, folder: Path) -> None:
    model = made(streams.behaviour, folder, layers=1)
    network = enlarged(model, folder, num_hidden_layers=1)
    tokens = len(WORDS) + torch.tensor([[0, 4, 2]])
    states = network.model(tokens).last_hidden_state[:, 1:]
    torch.testing.assert_close((model.encode(torch.tensor([[3, 1]])) - model.shift) * model.spread, states)
    refused(streams.behaviour, "3: .* has a stack of 2", folder, layers=3)


def test_adapters_and_item_vectors_are_tuned_and_kept_and_nothing_else_is_touched(
    streams: Population, folder: Path
) -> None:
    before, start = bytes_in(folder), made(streams.behaviour, folder)
    model, path = tuned(streams, spec(folder))
    assert bytes_in(folder) == before
    network = LlamaForCausalLM.from_pretrained(folder).model
    plain = {name.replace(".base_layer", ""): weight for name, weight in model.network.named_buffers()}
    for name, weight in network.named_parameters():
        torch.testing.assert_close(plain[name.replace("tokens.weight", "tokens.words")], weight, rtol=0, atol=0)
    kept = tensors_in(path)
    layers = [f"network.layers.{layer}.self_attn.{part}_proj.lora_{side}.default.weight"
              for layer in range(2) for part in "qv" for side in "AB"]  # fmt: skip
    assert sorted(kept) == sorted([*layers, "network.embed_tokens.added.weight", *MEASURED])
    assert {name for name, _ in model.named_parameters()} == set(kept) - MEASURED
    for name, weight in start.named_parameters():
        assert not torch.equal(weight, kept[name]), f"{name} was not tuned"
    whole = sum(weight.numel() for weight in network.parameters())
    facts = weights.read_facts(path.stem)
    assert facts is not None
    assert facts.parameters == whole + sum(weight.numel() for name, weight in kept.items() if name not in MEASURED)


def test_full_tuning_changes_every_weight(streams: Population, folder: Path) -> None:
    model, path = tuned(streams, spec(folder, tuning="full"))
    kept = tensors_in(path)
    for name, weight in LlamaForCausalLM.from_pretrained(folder).model.named_parameters():
        if not name.startswith("embed_tokens"):
            assert not torch.equal(kept[f"network.{name}"], weight), f"{name} was not tuned"
    assert {name for name, _ in model.named_parameters()} == set(kept) - MEASURED


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_kept_weights_give_the_same_lists_again(streams: Population, folder: Path, precision: str) -> None:
    asked = spec(folder, precision=precision)
    first, path = tuned(streams, asked)
    torch.manual_seed(5)
    again = open_tuned(streams.behaviour.n_items, asked, path)
    assert {weight.dtype for weight in (*again.parameters(), *tuning.frozen(again.network))} == {torch.float32}
    for (ids, scores), (theirs, their_scores) in zip(
        first.candidates([np.arange(5)], 20), again.candidates([np.arange(5)], 20), strict=True
    ):
        assert ids.tolist() == theirs.tolist()
        assert scores.tolist() == their_scores.tolist()


@torch.no_grad()
def test_batched_states_give_the_lists_of_one_by_one(streams: Population, folder: Path) -> None:
    llm = made(streams.behaviour, folder).double()
    items = np.random.default_rng(3).integers(llm.n_items, size=40).astype(np.int32)
    begins, ends, histories = [], [], []
    for first, last in ((0, 25), (25, 28), (28, 40)):
        for end in range(first + 1, last + 1):
            begins.append(first + int(context_starts(np.array([end - first]), 8)[0]))
            ends.append(end)
            histories.append(items[first:end])
    states = read(llm.encode, items, np.array(begins), np.array(ends), torch.device("cpu"))
    logits = llm.score_all(states).numpy()
    for row, (history, (ids, scores)) in enumerate(zip(histories, llm.candidates(histories, 12), strict=True)):
        left = np.setdiff1d(np.arange(llm.n_items), history)
        np.testing.assert_allclose(scores, logits[row, ids], rtol=1e-6)
        np.testing.assert_allclose(scores, np.sort(logits[row, left])[::-1][:12], rtol=1e-6)
        assert not set(ids.tolist()) & set(history.tolist())


@torch.no_grad()
def test_states_of_unlike_histories_are_unlike_from_the_start(streams: Population, folder: Path) -> None:
    """What they have in common is no longer than what tells them apart, however much alike the network's own are."""
    model = made(streams.behaviour, folder, window=20)
    histories = torch.randint(model.n_items, (40, 20), generator=torch.Generator().manual_seed(8))
    states = model.encode(histories).flatten(0, 1)
    common = states.mean(0)
    assert common.norm() == pytest.approx(4.0, rel=0.2)  # the square root of the width
    assert (states - common).square().mean().sqrt() == pytest.approx(1.0, rel=0.1)


def test_copies_share_what_is_not_tuned(streams: Population, folder: Path) -> None:
    model = made(streams.behaviour, folder)
    copied = copy.deepcopy(model)
    for mine, theirs in zip(tuning.frozen(model.network), tuning.frozen(copied.network), strict=True):
        assert mine.data_ptr() == theirs.data_ptr()
    for mine, theirs in zip(model.parameters(), copied.parameters(), strict=True):
        assert mine.data_ptr() != theirs.data_ptr()


def test_halves_learn_much_the_same(streams: Population, folder: Path) -> None:
    items = torch.tensor([[1, 2, 3, 4, 5], [9, 8, 7, 6, -1]])
    losses = []
    for precision in ("float32", "bfloat16"):
        model = made(streams.behaviour, folder, precision=precision).train()
        loss = model.loss(items)
        loss.backward()
        assert {weight.grad.dtype for weight in model.parameters() if weight.grad is not None} == {torch.float32}
        losses.append(loss.item())
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.03)


def test_halves_are_taken_where_they_are_faster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    for half, taken in ((0.5, True), (0.95, False), (3.0, False)):
        monkeypatch.setattr(tuning, "_seconds", lambda _, dtype, half=half: half if dtype == torch.bfloat16 else 1.0)
        assert tuning.in_halves(spec(folder, precision="auto"), 16, said.append) == taken
    assert "tuned in bfloat16" in said[0]
    assert "tuned in float32" in said[1]
    monkeypatch.undo()
    assert tuning._seconds(16, torch.bfloat16) > 0


def refused(behaviour: Behaviour, said: str, folder: Path, **settings: Any) -> None:
    with pytest.raises(ModelError, match=said) as refusal:
        made(behaviour, folder, **settings)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("recommenders.llm.")


def test_folders_that_cannot_be_used_are_refused(streams: Population, folder: Path, tmp_path: Path) -> None:
    data = streams.behaviour
    refused(data, "no such folder", tmp_path / "nowhere")
    refused(data, "32 is more than the 31 items that fit into", folder, window=32)
    refused(data, "30 is more than the 29 items that fit into", folder, window=30, prompt="two alien")
    refused(data, "llm.prompt: written with token 9, but .* knows 9", write(tmp_path / "few", words=9), prompt="two")
    refused(data, "nothing_proj: no such layers", folder, targets=("nothing_proj",))
    refused(data, "its tokenizer writes token 9, but its network knows 9", write(tmp_path / "small", words=9))
    torch.manual_seed(0)
    encoder = BertConfig(
        vocab_size=12, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        initializer_range=1.0,
    )  # fmt: skip
    ahead = write(tmp_path / "ahead")
    BertForMaskedLM(encoder).save_pretrained(ahead)
    refused(data, "cannot be loaded|do not fit|its states look at what comes after them", ahead)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 32}))
    refused(data, "cannot be loaded|do not fit", folder)
    (folder / "tokenizer.json").unlink()
    refused(data, r"holds no tokenizer\.json", folder)


def test_truncated_weights_and_pickles_are_refused(streams: Population, folder: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "sprung",)

    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-1])
    refused(streams.behaviour, "cannot be loaded", folder)
    (folder / "model.safetensors").unlink()
    torch.save({"model.embed_tokens.weight": Trap()}, folder / "pytorch_model.bin")
    refused(streams.behaviour, "holds no safetensors; files of other kinds are never opened", folder)
    assert not (tmp_path / "sprung").exists()


def test_what_was_tuned_on_another_base_is_refused(streams: Population, folder: Path, tmp_path: Path) -> None:
    asked, n_items = spec(folder), streams.behaviour.n_items
    _, path = tuned(streams, asked)
    key = trained.key(streams, asked)
    for other, said in (
        (spec(write(tmp_path / "other", seed=1)), "was tuned on another network than the one in"),
        (spec(folder, rank=3), r"is torch.float32 \[2, 16\], this model needs"),
        (spec(folder, tuning="full"), r"lacks network\.layers\.0"),
    ):
        assert trained.key(streams, other) != key
        with pytest.raises(ModelError, match=said):
            open_tuned(n_items, other, path)
    with pytest.raises(ModelError, match=r"added\.weight is"):
        open_tuned(n_items + 1, asked, path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="truncated"):
        open_tuned(n_items, asked, path)
    moved = folder.rename(tmp_path / "moved")
    assert trained.key(streams, spec(moved)) == key
    write(moved, seed=2)
    assert trained.key(streams, spec(moved)) != key


def test_the_hub_is_asked_for_safetensors_alone_and_only_for_what_is_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def snapshot(name: str, allow_patterns: list[str], local_files_only: bool) -> str:
        assert name == "owner/model"
        assert set(allow_patterns) == {"*.json", "*.safetensors"}
        asked.append(local_files_only)
        if local_files_only and not (tmp_path / "config.json").exists():
            raise FileNotFoundError("no snapshot")
        (tmp_path / "config.json").touch()
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    said: list[str] = []
    for _ in range(2):
        assert located.fetched("owner/model", said.append) == tmp_path
    assert asked == [True, False, True]
    assert said == ["owner/model: fetching from the Hugging Face hub; see there for its licence"]


def test_where_there_is_no_network_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> str:
        raise ConnectionError("Name or service\nnot known")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    for name, said in (
        ("owner/model", r"not to be had from the hub .*; where there is no network, copy the model's folder here"),
        ("smollm", "no folder, no published model .smollm2-135m"),
    ):
        with pytest.raises(ModelError, match=said) as refusal:
            located.fetched(name, lambda _: None)
        assert "\n" not in str(refusal.value)
    with pytest.raises(ModelError, match="not fetched yet: recfleet models get smollm2-135m"):
        located.located("smollm2-135m")
