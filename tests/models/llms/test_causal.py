"""Lists hold what they should, however they are computed, and foreign folders are refused in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, BertLMHeadModel, LlamaConfig, LlamaForCausalLM

from models import weights
from models.llms.causal import Causal, build, context_starts, fault
from models.llms.local_causal import load
from models.reading import read
from scenarios.errors import ModelError
from scenarios.schema.recommenders import CausalLlm, LocalLlm

N_ITEMS = 40
SPEC = CausalLlm(width=16, layers=2, heads=2, window=10)


def model(architecture: str = "llama") -> Causal:
    torch.manual_seed(0)
    made = build(N_ITEMS, SPEC.model_copy(update={"architecture": architecture})).eval()
    torch.nn.init.normal_(made.network.get_input_embeddings().weight)
    return made


@given(st.integers(4, 300), st.integers(1, 3000))
def test_contexts_are_half_a_window_to_a_window_long(window: int, seen: int) -> None:
    start = int(context_starts(np.array([seen]), window)[0])
    assert start % (window // 2) == 0
    if seen <= window:
        assert start == 0
    else:
        assert window / 2 - 1 < seen - start <= window


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "qwen2", "mistral", "gpt_neox", "opt"])
@torch.no_grad()
def test_batched_states_give_the_lists_of_one_by_one(architecture: str) -> None:
    llm = model(architecture).double()
    items = np.random.default_rng(3).integers(N_ITEMS, size=70).astype(np.int32)
    streams = [(0, 45), (45, 48), (48, 70)]
    begins, ends, histories = [], [], []
    for first, last in streams:
        for end in range(first + 1, last + 1):
            begins.append(first + int(context_starts(np.array([end - first]), SPEC.window)[0]))
            ends.append(end)
            histories.append(items[first:end])
    states = read(llm.encode, items, np.array(begins), np.array(ends), torch.device("cpu"))
    logits = llm.score_all(states).numpy()
    for row, (history, (ids, scores)) in enumerate(zip(histories, llm.candidates(histories, 12), strict=True)):
        left = np.setdiff1d(np.arange(N_ITEMS), history)
        assert ids.tolist() == left[np.lexsort((left, -logits[row, left]))][:12].tolist()
        np.testing.assert_allclose(scores, logits[row, ids], rtol=1e-9)


def test_lists_hold_real_items_once_each_none_of_them_consumed_best_first() -> None:
    histories = [np.arange(n) for n in (1, 5, 30, 39, 40)]
    for history, (ids, scores) in zip(histories, model().candidates(histories, 20), strict=True):
        assert len(ids) == min(20, N_ITEMS - len(history))
        assert len(set(ids.tolist())) == len(ids)
        assert not set(ids.tolist()) & set(history.tolist())
        assert set(ids.tolist()) <= set(range(N_ITEMS))
        assert (np.diff(scores) <= 0).all()


def test_ties_stand_in_the_order_of_ids() -> None:
    llm = model()
    torch.nn.init.zeros_(llm.network.model.embed_tokens.weight)
    ((ids, _),) = llm.candidates([np.array([3, 0])], 5)
    assert ids.tolist() == [1, 2, 4, 5, 6]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model().network.save_pretrained(tmp_path / "llm")
    return tmp_path / "llm"


def spec(folder: Path, window: int = 10) -> LocalLlm:
    return LocalLlm(path=folder, window=window)


def test_a_folder_gives_the_model_that_was_saved(folder: Path) -> None:
    ((mine, _),) = model().candidates([np.arange(7)], 10)
    ((theirs, _),) = load(N_ITEMS, spec(folder)).candidates([np.arange(7)], 10)
    assert mine.tolist() == theirs.tolist()


def test_a_larger_vocabulary_is_cut_to_the_items(folder: Path) -> None:
    ((ids, _),) = load(N_ITEMS - 10, spec(folder)).candidates([np.arange(3)], 60)
    assert sorted(ids.tolist()) == list(range(3, N_ITEMS - 10))


def refused(folder: Path, said: str, n_items: int = N_ITEMS, window: int = 10) -> None:
    with pytest.raises(ModelError, match=said) as refusal:
        load(n_items, spec(folder, window))
    assert "\n" not in str(refusal.value)


def test_folders_that_are_no_models_are_refused(folder: Path, tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "holds no config.json")
    refused(folder, "knows 40 tokens, but the data set has 41 items", n_items=N_ITEMS + 1)
    refused(folder, "20 is more than the 10 positions", window=20)
    (folder / "config.json").write_text("{}")
    refused(folder, "cannot be loaded")


def test_weights_that_do_not_fit_are_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    for change in ({"vocab_size": 50}, {"intermediate_size": 64}, {"num_hidden_layers": 3}, {"num_hidden_layers": 1}):
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        refused(folder, "cannot be loaded|do not fit its config.json")


def test_truncated_weights_are_refused(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    for length in (0, 100, len(whole) - 1):
        (folder / "model.safetensors").write_bytes(whole[:length])
        refused(folder, "cannot be loaded")


def test_pickles_are_never_opened(folder: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "sprung",)

    (folder / "model.safetensors").unlink()
    torch.save({"model.embed_tokens.weight": Trap()}, folder / "pytorch_model.bin")
    refused(folder, "holds no safetensors")
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    refused(folder, "cannot be loaded")
    assert not (tmp_path / "sprung").exists()


def test_a_network_that_bends_its_logits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Capped(LlamaForCausalLM):
        def forward(self, *rest: object, **more: object) -> object:
            said = super().forward(*rest, **more)
            said.logits = torch.tanh(said.logits)
            return said

    config = LlamaConfig(
        vocab_size=N_ITEMS, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        initializer_range=1.0,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    monkeypatch.setattr("transformers.AutoModelForCausalLM", Capped)
    refused(tmp_path, "its logits are not its output layer applied to its states")


def test_a_network_that_looks_ahead_is_refused(tmp_path: Path) -> None:
    BertLMHeadModel(
        BertConfig(
            vocab_size=N_ITEMS, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=10, is_decoder=False, pad_token_id=None,
        )
    ).save_pretrained(tmp_path)  # fmt: skip
    refused(tmp_path, "it looks ahead, at items that come later")


def test_a_model_is_looked_at_without_a_trace() -> None:
    llm = model().train()
    before = {name: weight.clone() for name, weight in llm.state_dict().items()}
    assert fault(llm) is None
    assert llm.training
    assert all(torch.equal(weight, before[name]) for name, weight in llm.state_dict().items())
    assert all(weight.grad is None for weight in llm.parameters())


def test_the_digest_of_a_folder_follows_its_files(folder: Path) -> None:
    before = weights.folder_digest(folder)
    assert weights.folder_digest(folder) == before
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert weights.folder_digest(folder) != before


def test_nothing_is_said_aside(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load(N_ITEMS, spec(folder))
    assert capfd.readouterr() == ("", "")
