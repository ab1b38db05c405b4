"""Beam search down a trie of real items: no invalid answer, none twice, none that is consumed. And one that is held to
nothing, for comparison.

A beam's score is the log-probability of what it has said, over the whole vocabulary, so that an item's score is the one
that the network itself gives to its tokens. Scores only fall as a beam goes on: whatever was dropped can end no better
than it stood when it was dropped. So a search knows of itself whether its list is the true one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.llms.decoder import Decoder
from models.llms.trie import Trie

LOGITS = 2**24
"""At most so many logits at once while every item is scored: 64 MB."""


@dataclass(frozen=True)
class Found:
    """Lists of B histories, best first; equal scores in the order of ids.

    items: [B, at most length] ids, -1 where fewer were left. scores: [B, at most length] log-probabilities, -inf there.
    exact: [B] whether it is proved that no item outside the list scores better, or as well.
    """

    items: Tensor
    scores: Tensor
    exact: Tensor


@torch.no_grad()
def search(network: Any, memory: Tensor, mask: Tensor, trie: Trie, gone: Tensor, beams: int, length: int) -> Found:
    """Keep the best `beams` nodes at each level of the trie, then the best `length` items.

    memory, mask: see `Decoder`. gone: [B, n_items] bool, items that must not be named. beams: at least `length`, or
    lists may be shorter than they could be. The network must not be in training.
    """
    decoder, rows = Decoder(network, memory, mask), torch.arange(len(memory), device=memory.device)[:, None]
    left = trie.left(gone)
    node = torch.zeros_like(rows)
    score = memory.new_zeros(len(memory), 1)
    bound = torch.full_like(score[:, 0], -torch.inf)
    token, beam = torch.full_like(node, network.config.decoder_start_token_id), None
    for level in range(trie.depth):
        logits = decoder.step(token, beam)
        place = torch.arange(trie.widest[level], device=node.device)
        children = torch.where(place < trie.count[node][..., None], trie.first[node][..., None] + place, -1)
        gain = logits.gather(2, trie.token[children]) - logits.logsumexp(-1, keepdim=True)
        # Who has reached a leaf waits there.
        gain = gain.masked_fill(children == node[..., None], 0.0)
        reached = (score[..., None] + gain).flatten(1)
        children = children.flatten(1)
        reached = reached.masked_fill((children < 0) | ~left[rows, children], -torch.inf)
        wanted = max(beams, length) if level == trie.depth - 1 else beams
        best, at = reached.topk(min(wanted + 1, reached.shape[1]))
        if best.shape[1] > wanted:
            bound = torch.maximum(bound, best[:, -1])
        score, at = best[:, :wanted], at[:, :wanted]
        node, beam = children.gather(1, at).clamp(min=0), at // trie.widest[level]
        token = trie.token[node]
    items = torch.where(score == -torch.inf, -1, trie.item[node])
    return _ordered(items, score, bound, length)


def _ordered(items: Tensor, scores: Tensor, bound: Tensor, length: int) -> Found:
    """The best `length` of [B, K] items, where none that is not among them scores better than [B] bound."""
    by_id = items.argsort(1)
    by_score = scores.gather(1, by_id).argsort(stable=True, dim=1, descending=True)
    order = by_id.gather(1, by_score)[:, :length]
    scores = scores.gather(1, order)
    exact = (bound == -torch.inf) | (scores[:, -1] > bound)
    return Found(items.gather(1, order), scores, exact)


@torch.no_grad()
def search_freely(network: Any, memory: Tensor, mask: Tensor, depth: int, beams: int) -> tuple[Tensor, Tensor]:
    """([B, K, depth] tokens, [B, K] log-probabilities) of ordinary beam search, best first, with K at most `beams`.

    Answers all have the same length, so that no beam ends before the others. memory, mask: see `Decoder`.
    """
    decoder, rows = Decoder(network, memory, mask), torch.arange(len(memory), device=memory.device)[:, None]
    said, score = torch.zeros_like(rows)[..., None][..., :0], memory.new_zeros(len(memory), 1)
    token, beam = torch.full_like(rows, network.config.decoder_start_token_id), None
    for _ in range(depth):
        gain = decoder.step(token, beam).log_softmax(-1)
        reached = (score[..., None] + gain).flatten(1)
        score, at = reached.topk(min(beams, reached.shape[1]))
        beam, token = at // gain.shape[-1], at % gain.shape[-1]
        said = torch.cat([said[rows, beam], token[..., None]], -1)
    return said, score


def cleared(items: Tensor, scores: Tensor, gone: Tensor, length: int) -> Found:
    """What is left of [B, K] items, -1 for what names none, best first, without those gone and without repetitions.

    Whoever is dropped leaves a place empty at the end. gone: as in `search`.
    """
    again = (items[:, :, None] == items[:, None]).tril(-1).any(2)
    kept = (items >= 0) & ~gone.gather(1, items.clamp(min=0)) & ~again
    order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)
    lacking = max(0, length - items.shape[1])
    items, scores = items.where(kept, -1).gather(1, order), scores.masked_fill(~kept, -torch.inf).gather(1, order)
    items = functional.pad(items, (0, lacking), value=-1)[:, :length]
    scores = functional.pad(scores, (0, lacking), value=-torch.inf)[:, :length]
    return Found(items, scores, torch.zeros_like(items[:, 0], dtype=torch.bool))


@torch.no_grad()
def score_every(network: Any, memory: Tensor, mask: Tensor, trie: Trie) -> Tensor:
    """[B, n_items] the log-probability of every item, each prefix that items share decoded once."""
    inner = [level[trie.item[level] < 0] for level in _levels(trie)]
    widest = max(len(nodes) for nodes in inner) * network.config.vocab_size
    chunk = max(1, LOGITS // widest)
    return torch.cat(
        [
            _score_every(network, memory[k : k + chunk], mask[k : k + chunk], trie, inner)
            for k in range(0, len(memory), chunk)
        ]
    )


def _levels(trie: Trie) -> list[Tensor]:
    """The nodes of each level but the last, which has leaves only."""
    nodes = torch.arange(trie.starts[-2], device=trie.item.device)
    return [nodes[start:end] for start, end in zip(trie.starts[:-2], trie.starts[1:-1], strict=True)]


def _score_every(network: Any, memory: Tensor, mask: Tensor, trie: Trie, inner: list[Tensor]) -> Tensor:
    decoder = Decoder(network, memory, mask)
    scores = memory.new_zeros(len(memory), len(trie.item))
    token, beam = torch.full_like(inner[0], network.config.decoder_start_token_id), None
    for level, nodes in enumerate(inner):
        if level:
            token, beam = trie.token[nodes], torch.searchsorted(inner[level - 1], trie.parent[nodes])[None]
        logits = decoder.step(token.expand(len(memory), -1), beam).log_softmax(-1)
        children = torch.arange(trie.starts[level + 1], trie.starts[level + 2], device=nodes.device)
        parents = trie.parent[children]
        gained = logits[:, torch.searchsorted(nodes, parents), trie.token[children]]
        scores[:, children] = scores[:, parents] + gained
    return scores[:, trie.path[:, -1]]


def best_of(scores: Tensor, gone: Tensor, length: int) -> Found:
    """The exact lists, from [B, n_items] scores of every item. gone: as in `search`."""
    scores = scores.masked_fill(gone, -torch.inf)
    items = torch.arange(scores.shape[1], device=scores.device).masked_fill(gone, -1)
    return _ordered(items, scores, scores.new_full((len(scores),), -torch.inf), length)
