"""How much sooner `models.llms.beam` has its lists than transformers' own constrained beam search."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.llms.beam import search
from models.llms.item_codes import ItemCodes
from models.llms.trie import build


@dataclass(frozen=True)
class Race:
    """Seconds of the processor for the same lists, the best of some rounds; from the encoder's input to ids of items.

    agreement: share of the lists' places at which both have the same item.
    """

    search_s: float
    generate_s: float
    agreement: float

    @property
    def ratio(self) -> float:
        """How many times as long `generate` takes."""
        return self.generate_s / self.search_s


def race(network: Any, codes: ItemCodes, embedded: Tensor, mask: Tensor, beams: int = 50, rounds: int = 3) -> Race:
    """Time both on the same prompts, turn by turn.

    network: a `T5ForConditionalGeneration` that is not in training. codes: all of one length, so that both searches
    are the same. embedded, mask: [B, L, width], [B, L] the encoder's input. What may follow each prefix is in a
    dictionary before the clock starts, the quickest `prefix_allowed_tokens_fn` there can be.
    """
    trie = build(codes).to(embedded.device)
    depth = trie.depth
    following: dict[tuple[int, ...], set[int]] = {}
    for answer in codes.answers().tolist():
        for end in range(depth):
            following.setdefault(tuple(answer[:end]), set()).add(answer[end])
    allowed = {prefix: sorted(tokens) for prefix, tokens in following.items()}
    nothing = torch.zeros(len(embedded), codes.n_items, dtype=torch.bool, device=embedded.device)

    @torch.no_grad()
    def ours() -> Tensor:
        memory = network.encoder(inputs_embeds=embedded, attention_mask=mask.long()).last_hidden_state
        return search(network, memory, mask, trie, nothing, beams, beams).items

    def theirs() -> Tensor:
        said = network.generate(
            inputs_embeds=embedded,
            attention_mask=mask.long(),
            prefix_allowed_tokens_fn=lambda row, prefix: allowed[tuple(prefix.tolist()[1:])],
            num_beams=beams,
            num_return_sequences=beams,
            do_sample=False,
            max_new_tokens=depth,
            eos_token_id=None,
        )
        return trie.find(said[:, 1 : 1 + depth]).view(len(embedded), beams)

    agreement = float((ours() == theirs()).double().mean())
    times = [[_seconds(ours), _seconds(theirs)] for _ in range(rounds)]
    search_s, generate_s = (min(column) for column in zip(*times, strict=True))
    return Race(search_s, generate_s, agreement)


def _seconds(act: Callable[[], Tensor]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began
