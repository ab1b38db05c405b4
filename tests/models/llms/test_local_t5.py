"""A folder's T5 is asked in its own words, and folders that are no such thing are refused in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from small_t5 import network, tokenizer

from models.llms.item_codes import END, PAD
from models.llms.local_t5 import AFTER, BEFORE, BETWEEN, load
from scenarios.errors import ModelError
from scenarios.schema.recommenders import LocalT5

N_ITEMS = 45


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    words = tokenizer()
    network(len(words)).float().save_pretrained(tmp_path / "t5")
    words.save_pretrained(tmp_path / "t5")
    return tmp_path / "t5"


def spec(folder: Path, item_ids: str = "text") -> LocalT5:
    return LocalT5.model_validate({"path": folder, "item_ids": item_ids, "window": 5})


def test_it_is_asked_in_the_words_of_p5(folder: Path) -> None:
    llm = load(N_ITEMS, spec(folder))
    tokens, _ = llm.prompt.put(torch.from_numpy(llm.codes.tokens), torch.tensor([[-1, 7, 41]]))
    asked = tokenizer().convert_ids_to_tokens(tokens[0].tolist())
    assert asked == [*BEFORE.split(), "7", ",", "4", "1", *AFTER.split(), "</s>"]
    assert tokenizer().convert_ids_to_tokens(llm.codes.answers()[7].tolist()) == ["7", "</s>", "<pad>"]


@torch.no_grad()
def test_numbers_of_one_digit_and_of_two_compete(folder: Path) -> None:
    llm = load(N_ITEMS, spec(folder)).double()
    ((ids, scores),) = llm.candidates([np.array([3, 14])], N_ITEMS)
    assert sorted([*ids.tolist(), 3, 14]) == list(range(N_ITEMS))
    said = tokenizer()(f"{BEFORE} 3 {BETWEEN} 14 {AFTER}", return_tensors="pt")["input_ids"]
    said = torch.cat([said, torch.tensor([[END]])], 1)
    for item in (2, 20):
        answer = torch.tensor([[*tokenizer()(str(item))["input_ids"], END]])
        logits = llm.network(input_ids=said, labels=answer).logits.log_softmax(-1)
        score = logits.gather(2, answer[..., None]).sum()
        assert scores[ids.tolist().index(item)] == pytest.approx(float(score))


def test_free_answers_are_read_as_text(folder: Path) -> None:
    llm = load(N_ITEMS, spec(folder))
    words = tokenizer()
    tokens = [
        words(text, add_special_tokens=False)["input_ids"] for text in ("7", "07", "44", "45", ", 12", "1 user", "")
    ]
    said = torch.full((len(tokens), 4), PAD)
    for row, each in zip(said, tokens, strict=True):
        row[: len(each) + 1] = torch.tensor([*each, END])
    assert llm._named(said).tolist() == [7, 7, 44, -1, 12, -1, -1]
    (made,) = llm.generated([np.array([3])], beams=20)
    assert made.invalid + len(made.ids) == 20
    assert made.invalid > 0
    llm.constrained = False
    ((ids, _),) = llm.candidates([np.array([3])], 20)
    _, first = np.unique(made.ids, return_index=True)
    assert ids.tolist() == [item for item in made.ids[np.sort(first)].tolist() if item != 3]


@torch.no_grad()
def test_semantic_ids_are_those_that_the_folder_lists(folder: Path) -> None:
    rng = np.random.default_rng(0)
    paths = rng.permutation([(a, b, c) for a in (2, 3, 4) for b in (5, 6, 7) for c in (8, 9)])[:12].tolist()
    (folder / "item_codes.json").write_text(json.dumps(paths))
    llm = load(12, spec(folder, "semantic")).double()
    tokens, _ = llm.prompt.put(torch.from_numpy(llm.codes.tokens), torch.tensor([[3, 7]]))
    assert tokens.tolist() == [[*paths[3], *paths[7], END]]
    ((ids, scores),) = llm.candidates([np.array([3, 7])], 12)
    assert sorted([*ids.tolist(), 3, 7]) == list(range(12))
    for item, score in zip(ids.tolist(), scores.tolist(), strict=True):
        answer = torch.tensor([paths[item]])
        logits = llm.network(input_ids=tokens, labels=answer).logits.log_softmax(-1)
        said = logits.gather(2, answer[..., None]).sum()
        assert score == pytest.approx(float(said))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("[[2, 3], [2", "no lists of one length"),
        ("[[2, 3], [4]]", "no lists of one length"),
        ("[[2, 3], [2, 4], [2, 5]]", "expected 2 lists"),
        ("[[2, 3], [2, 4.5]]", "expected 2 lists"),
        ("{}", "expected 2 lists"),
        ("[[1, 3], [2, 4]]", "expected tokens from 2 on"),
        ("[[2, 3], [2, 3]]", "no two items with the same"),
        ("[[2, 3], [2, 4000]]", "knows .* tokens, but naming items takes 4001"),
    ],
)
def test_semantic_ids_that_name_no_one_item_are_refused(folder: Path, text: str | None, said: str) -> None:
    if text is not None:
        (folder / "item_codes.json").write_text(text)
    refused(folder, said, 2, "semantic")


def test_tokens_without_words(folder: Path) -> None:
    refused(folder, "knows .* tokens, but naming items takes 202", 200, "token")
    for way in ("digits", "token"):
        llm = load(20, spec(folder, way))
        assert len(llm.candidates([np.array([1, 2])], 5)[0][0]) == 5
        tokens, _ = llm.prompt.put(torch.from_numpy(llm.codes.tokens), torch.tensor([[1, 2]]))
        assert tokens.tolist()[0] == [*llm.codes.tokens[[1, 2]].ravel().tolist(), END]


def refused(folder: Path, said: str, n_items: int = N_ITEMS, item_ids: str = "text") -> None:
    with pytest.raises(ModelError, match=said) as refusal:
        load(n_items, spec(folder, item_ids))
    assert "\n" not in str(refusal.value)


def change(folder: Path, name: str, **values: object) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_folders_that_are_no_such_models_are_refused(folder: Path, tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "holds no config.json")
    whole = (folder / "model.safetensors").read_bytes()
    for length in (0, 100, len(whole) - 1):
        (folder / "model.safetensors").write_bytes(whole[:length])
        refused(folder, "cannot be loaded")
    (folder / "model.safetensors").write_bytes(whole)
    for values in ({"vocab_size": 99}, {"d_ff": 64}, {"num_layers": 3}, {"num_layers": 1}):
        kept = (folder / "config.json").read_text()
        change(folder, "config.json", **values)
        refused(folder, "cannot be loaded|do not fit its config.json")
        (folder / "config.json").write_text(kept)
    change(folder, "config.json", decoder_start_token_id=5)
    refused(folder, "must be token 0")
    change(folder, "config.json", decoder_start_token_id=0, eos_token_id=4)
    refused(folder, "must end with token 1")


def test_tokenizers_that_cannot_write_numbers_are_refused(folder: Path) -> None:
    written = json.loads((folder / "tokenizer.json").read_text())
    del written["model"]["vocab"]["4"]
    (folder / "tokenizer.json").write_text(json.dumps(written))
    refused(folder, "cannot tell numbers below 45 apart")
    (folder / "tokenizer.json").write_text("{}")
    refused(folder, "tokenizer in .* cannot be loaded")
    (folder / "tokenizer.json").unlink()
    refused(folder, "holds no tokenizer.json")


def test_pickles_are_never_opened(folder: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "sprung",)

    (folder / "model.safetensors").unlink()
    torch.save({"shared.weight": Trap()}, folder / "pytorch_model.bin")
    refused(folder, "holds no safetensors")
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    refused(folder, "cannot be loaded")
    assert not (tmp_path / "sprung").exists()
