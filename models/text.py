"""Item vectors from what items are called: of a sentence encoder, or of a language model's own tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from models.llms.checkpoint import open_network, open_tokenizer
from models.published import MINILM
from scenarios.behaviour import Behaviour
from scenarios.cache import atomic, content_key, home
from scenarios.datasets.published import Announce
from scenarios.errors import ModelError

Vectors = npt.NDArray[np.float32]

ROWS = 64
"""Texts in a batch."""
LONGEST = 256
"""Tokens of a text that are read: what all-MiniLM-L6-v2 was trained on."""


def described(behaviour: Behaviour) -> list[str]:
    """Each item's title and categories as one text. Raises `ModelError` where the data set has no titles."""
    catalogue = behaviour.catalogue
    if not catalogue["title"].str.strip().any():
        raise ModelError(f"{behaviour.name}: its items have no titles, so there is no text to make vectors of")
    texts = []
    for title, categories in zip(catalogue["title"], catalogue["categories"], strict=True):
        kinds = str(categories).replace("|", ", ")
        texts.append(f"{title} ({kinds})" if kinds else str(title))
    return texts


def title_vectors(behaviour: Behaviour, announce: Announce) -> Vectors:
    """[n_items, 384] vectors of all-MiniLM-L6-v2, kept in the cache.

    announce: takes the model's licence where it has to be fetched. Raises as `described` and `PublishedModel.get` do.
    """
    texts = described(behaviour)
    path = home() / "text" / f"{content_key(MINILM.name, MINILM.recipe, texts)}.npy"
    try:
        kept: Vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there yet, or damaged
        kept = sentence_vectors(texts, MINILM.get(announce))
        with atomic(path) as scratch, scratch.open("wb") as file:
            np.save(file, kept)
    return kept


@torch.no_grad()
def sentence_vectors(texts: Sequence[str], folder: Path) -> Vectors:
    """[texts, width] vectors of length 1: the mean over a text's tokens of what the encoder in a folder says of them.

    As its authors use it (Reimers and Gurevych, EMNLP 2019). Raises `ModelError` for a folder that holds none.
    """
    from transformers import AutoModel

    network, tokenizer = open_network(AutoModel, folder, "text"), open_tokenizer(folder, "text")
    # Texts of about one length make batches without padding.
    order = np.argsort([len(text) for text in texts], kind="stable")
    vectors = np.zeros((len(texts), network.config.hidden_size), np.float32)
    for start in range(0, len(texts), ROWS):
        some = order[start : start + ROWS]
        read = tokenizer(
            [texts[k] for k in some], padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
        )
        said, real = network(**read).last_hidden_state, read["attention_mask"][..., None]
        vectors[some] = functional.normalize((said * real).sum(1) / real.sum(1), dim=1).numpy()
    return vectors


@torch.no_grad()
def token_vectors(texts: Sequence[str], folder: Path) -> Vectors:
    """[texts, width] the mean of a language model's own input vectors of a text's tokens; 0 for an empty text.

    Raises `ModelError` for a folder that holds no causal language model.
    """
    from transformers import AutoModelForCausalLM

    network, tokenizer = open_network(AutoModelForCausalLM, folder, "text"), open_tokenizer(folder, "text")
    vectors: Vectors = token_means(network.get_input_embeddings().weight, tokenizer, texts, f"text: {folder}").numpy()
    return vectors


@torch.no_grad()
def token_means(table: Tensor, tokenizer: Any, texts: Sequence[str], key: str) -> Tensor:
    """([tokens, width] vectors, texts) -> [texts, width] the mean over each text's tokens; 0 for an empty text.

    What a new token that stands for the text best begins with (Hewitt, Initializing new word embeddings, 2021). Raises
    `ModelError`, which begins with `key`, where the tokenizer knows more tokens than there are vectors.
    """
    written = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    tokens = torch.tensor([token for each in written for token in each], dtype=torch.long)
    if len(tokens) and int(tokens.max()) >= len(table):
        raise ModelError(f"{key}: its tokenizer writes token {int(tokens.max())}, but its network knows {len(table)}")
    ends = np.cumsum([len(each) for each in written])
    begins = torch.from_numpy(np.concatenate([[0], ends[:-1]]))
    return functional.embedding_bag(tokens, table, begins, mode="mean")
