"""A Hugging Face T5 that reads the codes of a history's items and answers with the code of the next: the P5 way.

P5 (Geng et al., RecSys 2022, arXiv 2203.13366) turns recommendation into text; here its sequential task alone, and the
words around the items only for a network that has learned words. Besides its token, every token of an item is told the
item's place, counted from the newest (P5's whole-word embedding, which counts from the oldest).

An encoder looks both ways, so a history has no state that a longer one could go on from: what `encode` gives for a
position is the last `window` ids themselves, and they are read when they are scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional

from models.llms import trie
from models.llms.beam import Found, best_of, cleared, score_every, search, search_freely
from models.llms.item_codes import PAD, ItemCodes
from models.llms.prompt import Prompt
from models.llms.tied import keep_one_name
from models.srms.base import PAD as NO_ITEM
from scenarios.behaviour import IntArray
from scenarios.errors import ModelError
from scenarios.schema.recommenders import T5Llm

ROWS = 32
"""Histories in a batch: with 50 beams each, enough to fill the cores."""
LONGEST = 50
"""Tokens after which the paper's code lets an answer end that has not ended itself."""

CODES = "item_tokens"
"""Under which name the items' codes lie among the weights."""

Ids = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Generated:
    """What beams said that nothing held to real items, best first.

    ids: of the beams that name an item, consumed ones and those named twice among them. scores: their
    log-probabilities, divided by their lengths. invalid: how many beams name none.
    """

    ids: Ids
    scores: Scores
    invalid: int


class T5(nn.Module):
    """The model, how it is trained, and the candidate lists that it gives.

    beams: how many the lists are searched with (at least as many as a list is long); None scores every item.
    constrained: whether the search is held to real items; else lists have what is left of what it names.
    places: whether tokens are told their item's place. tokenizer: of a network that has learned words.
    """

    item_tokens: Tensor
    JUDGED: ClassVar[int] = 500
    TARGETS: ClassVar[int] = 4
    """Places at which a window of training is cut into a history and the item to be named, drawn anew each time."""

    def __init__(
        self,
        network: Any,
        codes: ItemCodes,
        window: int,
        beams: int | None,
        prompt: Prompt | None = None,
        places: bool = True,
        tokenizer: Any = None,
        constrained: bool = True,
    ) -> None:
        super().__init__()
        self.network = network
        self.codes, self.window, self.tokenizer = codes, window, tokenizer
        self.beams, self.constrained = beams, constrained
        self.prompt = prompt or Prompt()
        self.places = nn.Embedding(window + 1, network.config.d_model, padding_idx=0) if places else None
        self._trie = trie.build(codes)
        self._answers = torch.from_numpy(codes.answers())
        self.register_buffer(CODES, torch.from_numpy(codes.tokens).clone())
        keep_one_name(self)

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return self.codes.n_items

    @property
    def searched(self) -> bool:
        """Whether lists are searched, and may miss some of the best items."""
        return self.beams is not None or not self.constrained

    def contexts(self, seen: IntArray) -> IntArray:
        """Where in its stream the model begins to read after so many items: `window` before."""
        return np.maximum(0, seen - self.window)

    def encode(self, items: Tensor) -> Tensor:
        """[B, T] ids (right-padded with -1) -> [B, T, window] the last ids at each position, -1 before the first."""
        return functional.pad(items, (self.window - 1, 0), value=NO_ITEM).unfold(1, self.window, 1)

    def read(self, histories: Tensor, places: bool = True) -> tuple[Tensor, Tensor]:
        """[N, T] ids, -1 for nothing -> ([N, L, width] what the encoder is given, [N, L] where that is real)."""
        tokens, of_items = self.prompt.put(self.item_tokens, histories)
        embedded: Tensor = self.network.shared(tokens)
        if self.places is not None and places:
            embedded = embedded + self.places(of_items)
        return embedded, tokens != PAD

    def loss(self, items: Tensor) -> Tensor:
        """[B, T] windows (right-padded with -1) -> mean negative log-probability of an item after those before."""
        lengths = (items != NO_ITEM).sum(1).repeat_interleave(self.TARGETS)
        rows = torch.arange(len(items), device=items.device).repeat_interleave(self.TARGETS)
        cuts = 1 + (torch.rand(len(rows), device=items.device) * (lengths - 1)).long()
        histories = items[rows].masked_fill(torch.arange(items.shape[1], device=items.device) >= cuts[:, None], NO_ITEM)
        embedded, real = self.read(histories)
        answers = self._answers.to(items.device)[items[rows, cuts]]
        said = self.network(
            inputs_embeds=embedded,
            attention_mask=real.long(),
            decoder_input_ids=functional.pad(answers, (1, -1), value=self.network.config.decoder_start_token_id),
        )
        of_tokens = functional.cross_entropy(
            said.logits.flatten(0, 1), answers.flatten(), ignore_index=PAD, reduction="sum"
        )
        return of_tokens / len(rows)

    def _memory(self, histories: Tensor) -> tuple[Tensor, Tensor]:
        embedded, real = self.read(histories)
        memory: Tensor = self.network.encoder(inputs_embeds=embedded, attention_mask=real.long()).last_hidden_state
        return memory, real

    @torch.no_grad()
    def score_all(self, states: Tensor) -> Tensor:
        """[N, window] last ids -> [N, n_items] log-probabilities of the next item's code."""
        paths = self._trie.to(states.device)
        return torch.cat([score_every(self.network, *self._memory(some), paths) for some in torch.split(states, ROWS)])

    @torch.no_grad()
    def lists(self, states: Tensor, gone: Tensor, length: int) -> Found:
        """The best items after [N, window] last ids, without those that [N, n_items] gone marks."""
        if not self.searched:
            return best_of(self.score_all(states), gone, length)
        beams, paths = max(self.beams or length, length), self._trie.to(states.device)
        found = [
            search(self.network, *self._memory(some), paths, out, beams, length)
            if self.constrained
            else cleared(*self._freely(some, beams), out, length)
            for some, out in zip(torch.split(states, ROWS), torch.split(gone, ROWS), strict=True)
        ]
        return Found(*(torch.cat([getattr(each, part.name) for each in found]) for part in fields(Found)))

    def candidates(self, histories: Sequence[npt.NDArray[np.integer]], length: int) -> list[tuple[Ids, Scores]]:
        """(ids, log-probabilities), best first, for each history: real items, none twice, none of the history's."""
        made: list[tuple[Ids, Scores]] = []
        for some in _batches(histories):
            gone = torch.zeros(len(some), self.n_items, dtype=torch.bool)
            for row, history in enumerate(some):
                gone[row, torch.as_tensor(np.asarray(history, np.int64))] = True
            states = self._last(some)
            found = self.lists(states, gone.to(states.device), length)
            for ids, scores in zip(found.items.cpu().numpy(), found.scores.double().cpu().numpy(), strict=True):
                made.append((ids[ids >= 0], scores[ids >= 0]))
        return made

    def _freely(self, states: Tensor, beams: int) -> tuple[Tensor, Tensor]:
        """([N, K] items named, -1 for none, [N, K] scores) after last ids, best first, by a search held to nothing."""
        if self.codes.ended:
            return self._generate(states, beams)
        said, scores = search_freely(self.network, *self._memory(states), self._trie.depth, beams)
        return self._named(said.flatten(0, 1)).view(scores.shape), scores

    @torch.no_grad()
    def generated(
        self, histories: Sequence[npt.NDArray[np.integer]], beams: int, places: bool = True
    ) -> list[Generated]:
        """What the paper's code has instead of `candidates`: plain beam search, and whatever comes of it.

        The released code of LSC4Rec does not tell the network the items' places here, though it did in training;
        places=False does as it does.
        """
        made = []
        for some in _batches(histories):
            items, scores = self._generate(self._last(some), beams, places)
            for ids, score in zip(items.cpu().numpy(), scores.double().cpu().numpy(), strict=True):
                made.append(Generated(ids[ids >= 0], score[ids >= 0], int((ids < 0).sum())))
        return made

    def _generate(self, states: Tensor, beams: int, places: bool = True) -> tuple[Tensor, Tensor]:
        """([N, beams] items named, -1 for none, [N, beams] scores) by the network's own beam search."""
        embedded, real = self.read(states, places)
        said = self.network.generate(
            inputs_embeds=embedded,
            attention_mask=real.long(),
            num_beams=beams,
            num_return_sequences=beams,
            do_sample=False,
            early_stopping=True,
            max_new_tokens=LONGEST if self.codes.ended else self._trie.depth,
            eos_token_id=self.network.config.eos_token_id if self.codes.ended else None,
            return_dict_in_generate=True,
            output_scores=True,
        )
        items, scores = self._named(said.sequences[:, 1:]), said.sequences_scores
        return items.view(len(states), beams).to(scores.device), scores.view(len(states), beams)

    def _named(self, said: Tensor) -> Tensor:
        """[N, T] tokens -> [N] the items that they name, -1 where they name none."""
        if self.tokenizer is not None:
            # As the paper's code reads them: any tokens whose text is a number, but for some signs around it.
            texts = [text.strip(".,-+ ") for text in self.tokenizer.batch_decode(said, skip_special_tokens=True)]
            ids = [int(text) if text.isascii() and text.isdigit() else -1 for text in texts]
            return torch.tensor([item if item < self.n_items else -1 for item in ids])
        depth = self._trie.depth
        whole = functional.pad(said, (0, max(0, depth - said.shape[1])), value=PAD)
        items = self._trie.to(said.device).find(whole[:, :depth])
        return items.masked_fill((whole[:, depth:] != PAD).any(1), -1)

    def _last(self, histories: Sequence[npt.NDArray[np.integer]]) -> Tensor:
        """[N, window] the last ids of each."""
        states = np.full((len(histories), self.window), NO_ITEM, np.int64)
        for row, history in enumerate(histories):
            kept = history[-self.window :]
            states[row, self.window - len(kept) :] = kept
        return torch.from_numpy(states).to(self.network.device)


def build(codes: ItemCodes, spec: T5Llm) -> T5:
    """An untrained T5 of the scenario's size."""
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=codes.vocabulary,
        d_model=spec.width,
        d_kv=spec.width // spec.heads,
        d_ff=2 * spec.width,
        num_layers=spec.layers,
        num_heads=spec.heads,
        dropout_rate=spec.dropout,
        decoder_start_token_id=PAD,
    )
    return T5(T5ForConditionalGeneration(config), codes, spec.window, spec.beams, constrained=spec.constrained)


def kept_codes(path: Path) -> ItemCodes:
    """The codes that a network whose weights are kept in a file was trained with. Raises `ModelError`."""
    try:
        with safe_open(path, framework="np") as file:
            tokens = file.get_tensor(CODES)
            vocabulary = file.get_slice("network.shared.weight").get_shape()[0]
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: truncated or no weights of a T5 ({error})") from error
    return ItemCodes(tokens, vocabulary)


def _batches(
    histories: Sequence[npt.NDArray[np.integer]],
) -> list[Sequence[npt.NDArray[np.integer]]]:
    return [histories[start : start + ROWS] for start in range(0, len(histories), ROWS)]
