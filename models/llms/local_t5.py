"""A T5 from a local folder, asked for items by tokens of ours or, if it has learned words, in P5's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from models.llms.checkpoint import open_network, open_tokenizer, reason
from models.llms.item_codes import END, FIRST, PAD, ItemCodes, digits, own_tokens
from models.llms.prompt import Prompt
from models.llms.t5 import T5
from scenarios.errors import ModelError
from scenarios.schema.recommenders import LocalT5

CODES = "item_codes.json"
"""In the folder: what its network calls each item."""
BEFORE = "According to the purchase history of the user : \n "
BETWEEN = " , "
AFTER = " \n Can you recommend the next possible item to the user ?"
"""P5's prompt 2-13, which LSC4Rec asks with, but for the user's number: a list depends on the history alone."""


def load(n_items: int, spec: LocalT5) -> T5:
    """The model in the scenario's folder. Raises `ModelError` where its files are not those of such a model."""
    from transformers import T5ForConditionalGeneration

    key = "recommenders.llm.path"
    network = open_network(T5ForConditionalGeneration, spec.path, key)
    config = network.config
    if (config.pad_token_id, config.decoder_start_token_id) != (PAD, PAD):
        raise ModelError(f"{key}: {spec.path}: padding and the beginning of an answer must be token {PAD}, as in T5")
    tokenizer, prompt = None, Prompt()
    match spec.item_ids:
        case "digits":
            codes = digits(n_items)
        case "token":
            codes = own_tokens(n_items)
        case "semantic":
            codes = listed(spec.path / CODES, n_items)
        case "text":
            if config.eos_token_id != END:
                raise ModelError(f"{key}: {spec.path}: an answer must end with token {END}, as in T5")
            tokenizer = open_tokenizer(spec.path, key)
            codes, prompt = spelled(n_items, tokenizer), in_words(tokenizer)
            _check_words(codes, tokenizer, spec)
    highest = max([int(codes.tokens.max()), *prompt.before, *prompt.between, *prompt.after])
    if highest >= config.vocab_size:
        raise ModelError(f"{key}: {spec.path} knows {config.vocab_size} tokens, but naming items takes {highest + 1}")
    return T5(network, codes, spec.window, spec.beams, prompt, False, tokenizer, spec.constrained)


def listed(path: Path, n_items: int) -> ItemCodes:
    """The codes in a file: for each item a list of token numbers. Raises `ModelError` unless each names one item."""
    key = f"recommenders.llm.item_ids: semantic: {path}"
    try:
        tokens = np.array(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ModelError(f"{key}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise ModelError(f"{key}: no lists of one length ({reason(error)})") from error
    if tokens.ndim != 2 or tokens.dtype != np.int64 or len(tokens) != n_items:
        raise ModelError(f"{key}: expected {n_items} lists of whole numbers, one for each item and all of one length")
    if tokens.size == 0 or tokens.min() < FIRST or len(np.unique(tokens, axis=0)) < n_items:
        raise ModelError(f"{key}: expected tokens from {FIRST} on, and no two items with the same")
    return ItemCodes(tokens, int(tokens.max()) + 1)


def spelled(n_items: int, tokenizer: Any) -> ItemCodes:
    """Each id as the tokenizer writes its decimal text; an answer needs an end, for texts are of unequal length."""
    written = tokenizer([str(item) for item in range(n_items)], add_special_tokens=False)["input_ids"]
    tokens = np.full((n_items, max(len(each) for each in written)), PAD, np.int64)
    for row, each in zip(tokens, written, strict=True):
        row[: len(each)] = each
    return ItemCodes(tokens, len(tokenizer), ended=True)


def in_words(tokenizer: Any) -> Prompt:
    """P5's prompt in a tokenizer's tokens."""

    def tokens(text: str) -> tuple[int, ...]:
        return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])

    return Prompt(tokens(BEFORE), tokens(BETWEEN), (*tokens(AFTER), END))


def _check_words(codes: ItemCodes, tokenizer: Any, spec: LocalT5) -> None:
    """Numbers must come back out of the tokens that they go into."""
    distinct = len(np.unique(codes.tokens, axis=0)) == codes.n_items
    if not distinct or (codes.tokens[:, 0] < FIRST).any() or tokenizer.unk_token_id in codes.tokens:
        raise ModelError(
            f"recommenders.llm.path: the tokenizer in {spec.path} cannot tell numbers below {codes.n_items} apart"
        )
