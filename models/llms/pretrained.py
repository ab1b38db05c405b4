"""A causal language model that has learned words, and learns items: each becomes a token of its vocabulary.

An item is read, and said, by its token's vector, which begins as the mean of the words' vectors in its title (Hewitt,
Initializing new word embeddings for pretrained language models, 2021); so no item is taken for a word, and what the
network knows of a title's words is where it starts from. The vectors are tuned on the histories, and adapters in the
network or all of it with them; words stay what they were, and a prompt can be written in them. Every history begins
with a token that stands where the network is used to see a text begin: whatever comes first, such networks look at as
a place to rest, and read badly.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional

from models import weights
from models.llms.causal import context_starts
from models.llms.checkpoint import FAULTS, open_network, open_tokenizer, reason
from models.llms.located import KEY, located
from models.llms.tuning import choose_tuned, frozen, in_halves, keep_layers
from models.llms.vocabulary import Vocabulary
from models.srms.base import PAD
from models.text import token_means
from scenarios.behaviour import Behaviour, IntArray
from scenarios.errors import ModelError
from scenarios.schema.pretrained import PretrainedLlm

BASE = "base"
"""Under which name the digest of the untuned network lies among the weights."""
SETTLED = 16
"""Random histories on which it is measured how long and how alike the network's states are."""
UNTITLED = 0.1
"""Deviation of the noise by which items without titles differ at first, in deviations of the words' vectors."""


class Pretrained(nn.Module):
    """The model, how it is tuned, and the candidate lists that it gives.

    network: without its head, and with a `Vocabulary`. untuned: how many of its weights are frozen. prompt: tokens
    that every history is read after. said: whether items are said by other vectors than they are read by, as words are
    where input and output have a table each. base: SHA-256 of the network's files. halves: whether it computes in
    bfloat16.
    """

    JUDGED: ClassVar[int] = 1_000
    base: Tensor
    spread: Tensor
    shift: Tensor
    before: Tensor

    def __init__(
        self,
        network: Any,
        untuned: int,
        n_items: int,
        prompt: Sequence[int],
        said: bool,
        spec: PretrainedLlm,
        base: str,
        halves: bool,
    ) -> None:
        super().__init__()
        self.network, self.untuned = network, untuned
        self.n_items, self.window, self.dropout, self.halves = n_items, spec.window, spec.dropout, halves
        width = self.vocabulary.added.embedding_dim
        self.said = nn.Embedding(n_items, width) if said else None
        self.register_buffer("before", torch.tensor([self.vocabulary.begin, *prompt]), persistent=False)
        self.register_buffer("spread", torch.ones(()))
        self.register_buffer("shift", torch.zeros(width))
        self.register_buffer(BASE, torch.tensor(list(bytes.fromhex(base)), dtype=torch.uint8))

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens that the network reads."""
        table: Vocabulary = self.network.get_input_embeddings()
        return table

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """What is not tuned is shared."""
        memo.update({id(each): each for each in frozen(self.network)})
        made = type(self).__new__(type(self))
        memo[id(self)] = made
        made.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return made

    def encode(self, items: Tensor) -> Tensor:
        """[B, T] ids (right-padded with `PAD`) -> [B, T, width] states after each item."""
        states = self._hidden(items) / self.spread + self.shift
        return functional.dropout(states, self.dropout, self.training)

    def _hidden(self, items: Tensor) -> Tensor:
        vectors: Tensor = self.vocabulary(self.vocabulary.first_item + items.clamp(min=0))
        vectors = functional.dropout(vectors, self.dropout, self.training)
        read = torch.cat([self.vocabulary(self.before).expand(len(items), -1, -1), vectors], 1)
        with torch.autocast(read.device.type, torch.bfloat16, enabled=self.halves):
            hidden: Tensor = self.network(inputs_embeds=read, use_cache=False).last_hidden_state
        return hidden[:, len(self.before) :].to(vectors.dtype)

    @torch.no_grad()
    def settle(self) -> None:
        """Measure, on random histories, by what to divide and shift the network's hidden states.

        They all point much the same way (Ethayarajh, EMNLP 2019), so that what tells one history from another would be
        learned far more slowly than what is popular. Afterwards both parts are about sqrt(width) long.
        """
        some = torch.randint(self.n_items, (SETTLED, self.window), generator=torch.Generator().manual_seed(0))
        hidden = self._hidden(some.to(self.before.device)).flatten(0, 1)
        mean = hidden.mean(0)
        self.spread.copy_((hidden - mean).square().mean().sqrt())
        self.shift.copy_(len(mean) ** 0.5 * functional.normalize(mean, dim=0) - mean / self.spread)

    def contexts(self, seen: IntArray) -> IntArray:
        """See `models.llms.causal.context_starts`."""
        return context_starts(seen, self.window)

    def score_all(self, states: Tensor) -> Tensor:
        """[N, width] states -> [N, n_items] logits of the next item."""
        table = self.vocabulary.items if self.said is None else self.said.weight
        logits: Tensor = states @ table.T
        return logits * float(states.shape[-1] ** -0.25)

    def loss(self, items: Tensor) -> Tensor:
        """[B, T] windows (right-padded with `PAD`) -> mean cross-entropy of each item given those before."""
        targets = items[:, 1:]
        real = targets != PAD
        return functional.cross_entropy(self.score_all(self.encode(items[:, :-1])[real]), targets[real])

    @torch.no_grad()
    def candidates(
        self, histories: Sequence[npt.NDArray[np.integer]], length: int
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
        """(ids, logits), best first, for each history by itself: real items, none twice, none of the history's."""
        made = []
        for history in histories:
            start = int(self.contexts(np.array([len(history)]))[0])
            ids = torch.as_tensor(np.asarray(history[start:], np.int64), device=self.before.device)[None]
            logits = self.score_all(self.encode(ids)[:, -1])[0].double().cpu().numpy()
            fresh = np.setdiff1d(np.arange(self.n_items), history)
            best = fresh[np.argsort(-logits[fresh], kind="stable")][:length]
            made.append((best, logits[best]))
        return made


def build(behaviour: Behaviour, spec: PretrainedLlm, announce: Callable[[str], None]) -> Pretrained:
    """The network as it was published, with a vector for each item, ready to be tuned.

    announce: told in what arithmetic. Raises `ModelError` where its files cannot be used.
    """
    folder = located(spec.model)
    tokenizer = open_tokenizer(folder, KEY)
    network, base = _open(folder)
    read, said = _tables(network)
    model = _around(network, behaviour.n_items, folder, spec, base, in_halves(spec, read.shape[1], announce))
    titles = [str(title).strip() for title in behaviour.catalogue["title"]]
    with torch.no_grad():
        model.vocabulary.items.copy_(_first_vectors(read, tokenizer, titles, folder))
        if model.said is not None:
            model.said.weight.copy_(_first_vectors(said, tokenizer, titles, folder))
        begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        model.vocabulary.added.weight[0].copy_(read.mean(0) if begin is None else read[begin])
    model.eval().settle()
    return model


def open_tuned(n_items: int, spec: PretrainedLlm, path: Path) -> Pretrained:
    """The model whose tuned part a weights file holds, in float32. Raises `ModelError` where that does not fit."""
    folder = located(spec.model)
    network, base = _open(folder)
    model = _around(network, n_items, folder, spec, base, halves=False)
    try:
        with safe_open(path, framework="pt") as file:
            tuned_on = bytes(file.get_tensor(BASE).tolist()).hex()
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path}: truncated or no weights of a tuned language model ({error})") from error
    if tuned_on != base:
        raise ModelError(f"{path}: was tuned on another network than the one in {folder}, or that changed")
    weights.load(model, path)
    return model.eval()


def _open(folder: Path) -> tuple[Any, str]:
    from transformers import AutoModelForCausalLM

    return open_network(AutoModelForCausalLM, folder, KEY), weights.folder_digest(folder)


def _tables(network: Any) -> tuple[Tensor, Tensor]:
    """The vectors by which words are read, and those by which they are said."""
    return network.get_input_embeddings().weight, network.get_output_embeddings().weight


def _around(whole: Any, n_items: int, folder: Path, spec: PretrainedLlm, base: str, halves: bool) -> Pretrained:
    """The model with its items' vectors unset. Raises `ModelError` where the network is none that this can be done to.

    It reads words and items, and says items alone.
    """
    read, said = _tables(whole)
    prompt = _prompt(spec, folder, len(read))
    room = getattr(whole.config, "max_position_embeddings", spec.window + len(prompt) + 1) - len(prompt) - 1
    if spec.window > room:
        raise ModelError(
            f"recommenders.llm.window: {spec.window} is more than the {room} items that fit into {spec.model}"
        )
    if said.shape[1] != read.shape[1]:
        raise ModelError(f"{KEY}: {spec.model}: reads vectors of {read.shape[1]}, but says {said.shape[1]}")
    network = whole.base_model
    network.set_input_embeddings(nn.Identity())  # so that adapters and freezing are the layers' alone
    keep_layers(network, spec)
    _check(network, read.shape[1], spec)
    untuned = choose_tuned(network, spec, halves) + read.numel()
    network.set_input_embeddings(Vocabulary(read, n_items))
    return Pretrained(network, untuned, n_items, prompt, said is not read, spec, base, halves)


def _prompt(spec: PretrainedLlm, folder: Path, n_words: int) -> list[int]:
    """The tokens of the scenario's prompt. Raises `ModelError` where the network does not know them."""
    if not spec.prompt:
        return []
    tokens: list[int] = open_tokenizer(folder, KEY)(spec.prompt, add_special_tokens=False)["input_ids"]
    if max(tokens, default=0) >= n_words:
        raise ModelError(f"recommenders.llm.prompt: written with token {max(tokens)}, but {spec.model} knows {n_words}")
    return tokens


@torch.no_grad()
def _check(network: Any, width: int, spec: PretrainedLlm) -> None:
    """Hold that it takes vectors for words, gives states that vectors can meet, and never looks ahead."""
    vectors = torch.randn(1, 4, width, generator=torch.Generator().manual_seed(0))
    try:
        whole, part = (
            network(inputs_embeds=each, use_cache=False).last_hidden_state for each in (vectors, vectors[:, :3])
        )
    except FAULTS as error:
        raise ModelError(f"{KEY}: {spec.model}: cannot be given vectors ({reason(error)})") from error
    if whole.shape != vectors.shape or not torch.allclose(whole[:, :3], part, rtol=1e-3, atol=1e-3):
        raise ModelError(f"{KEY}: {spec.model}: is no causal language model: its states look at what comes after them")


def _first_vectors(words: Tensor, tokenizer: Any, titles: list[str], folder: Path) -> Tensor:
    """[n_items, width] the mean of each title's words; of all words, with some noise, for an item without a title."""
    vectors = token_means(words, tokenizer, titles, f"{KEY}: {folder}")
    untitled = torch.tensor([not title for title in titles])
    noise = torch.randn(int(untitled.sum()), words.shape[1])
    vectors[untitled] = words.mean(0) + UNTITLED * words.std(0) * noise
    return vectors
