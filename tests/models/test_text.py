"""Vectors of texts are those of the network's own mean, whatever batch a text is in."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from models import text
from models.published import MINILM
from models.text import described, sentence_vectors, title_vectors, token_vectors
from scenarios.behaviour import Behaviour
from scenarios.errors import ModelError
from scenarios.population import Population

TEXTS = [
    "toy",
    "toy story",
    "story of a toy that is far longer than the others are",
    "of",
    "far",
    "toy",
    "others of toy",
]


def tokenizer() -> PreTrainedTokenizerFast:
    words = ["[PAD]", "[UNK]", *sorted({word for each in TEXTS for word in each.split()})]
    made = Tokenizer(models.WordLevel({word: token for token, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]")


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=300, initializer_range=0.5,
    )  # fmt: skip
    BertModel(config).save_pretrained(tmp_path / "encoder")
    tokenizer().save_pretrained(tmp_path / "encoder")
    return tmp_path / "encoder"


def titled(population: Population, titles: list[str], categories: str = "") -> Behaviour:
    behaviour = population.behaviour
    rows = {"label": behaviour.catalogue["label"], "title": titles, "categories": categories}
    return replace(behaviour, catalogue=pd.DataFrame(rows))


@torch.no_grad()
def test_sentences_are_means_over_real_tokens(encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, words = BertModel.from_pretrained(encoder).eval(), tokenizer()
    for rows in (2, 64):
        monkeypatch.setattr(text, "ROWS", rows)
        vectors = sentence_vectors(TEXTS, encoder)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
        for each, vector in zip(TEXTS, vectors, strict=True):
            mean = network(**words(each, return_tensors="pt")).last_hidden_state[0].mean(0)
            np.testing.assert_allclose(vector, mean / mean.norm(), atol=1e-5)


def test_tokens_of_a_text_are_averaged(tmp_path: Path) -> None:
    config = LlamaConfig(vocab_size=30, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    network, words = LlamaForCausalLM(config), tokenizer()
    network.save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    vectors = token_vectors([*TEXTS, ""], tmp_path)
    for each, vector in zip(TEXTS, vectors[:-1], strict=True):
        table = network.model.embed_tokens.weight.detach()
        np.testing.assert_allclose(vector, table[words(each)["input_ids"]].mean(0), atol=1e-6)
    assert (vectors[-1] == 0).all()


def test_an_item_is_described_by_title_and_categories(population: Population) -> None:
    n_items = population.behaviour.n_items
    assert described(titled(population, ["Heat"] * n_items, "Action|Crime"))[0] == "Heat (Action, Crime)"
    assert described(titled(population, ["Heat"] * n_items))[0] == "Heat"
    with pytest.raises(ModelError, match="no titles"):
        described(titled(population, [" "] * n_items))


def test_vectors_are_made_once_for_the_same_texts(
    population: Population, encoder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MINILM.folder.parent.mkdir(parents=True)
    encoder.rename(MINILM.folder)
    titles = [TEXTS[item % len(TEXTS)] for item in range(population.behaviour.n_items)]
    first = title_vectors(titled(population, titles), print)
    assert first.shape == (population.behaviour.n_items, 16)
    with monkeypatch.context() as patched:
        patched.setattr(text, "sentence_vectors", lambda *_: pytest.fail("made again"))
        np.testing.assert_array_equal(title_vectors(titled(population, titles), print), first)
    (kept,) = (cache / "text").glob("*.npy")
    kept.write_bytes(b"damaged")
    np.testing.assert_array_equal(title_vectors(titled(population, titles), print), first)
    assert not np.allclose(title_vectors(titled(population, ["far", *titles[1:]]), print)[0], first[0])
