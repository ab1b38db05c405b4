"""The decoder of a Hugging Face T5, one token at a time, for many beams of one history at once.

The network's own forward pass repeats what the encoder said for every beam, and projects it to keys and values again
for each. Here the beams of a history stand side by side where a sequence's positions would: all of them look at the
one copy of keys and values, which is projected once, and only what a beam has said itself is kept for it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Decoder:
    """What B histories' beams have said so far, and what they may say next.

    network: a `T5ForConditionalGeneration` that is not in training. memory: [B, L, width] what its encoder said.
    mask: [B, L] bool, where the encoder's input was real.
    """

    def __init__(self, network: Any, memory: Tensor, mask: Tensor) -> None:
        self.network = network
        self.blocks = list(network.decoder.block)
        attention = self.blocks[0].layer[0].SelfAttention
        self.heads, self.biases = attention.n_heads, attention.compute_bias
        self.unseen = torch.zeros_like(mask, dtype=memory.dtype).masked_fill(~mask, -torch.inf)[:, None, None]
        self.read = []
        for block in self.blocks:
            cross = block.layer[1].EncDecAttention
            keys, values = self._split(cross.k(memory)), self._split(cross.v(memory))
            self.read.append((keys.transpose(1, 2), values.transpose(1, 2)))
        self.said: list[tuple[Tensor, Tensor]] = []

    def step(self, tokens: Tensor, beams: Tensor | None = None) -> Tensor:
        """[B, K] last tokens -> [B, K, vocabulary] logits of the next one.

        beams: [B, K], of the beams of the step before which one each goes on from, or [1, K] for all alike; None at
        the first step.
        """
        if beams is not None:
            rows = torch.arange(len(tokens), device=tokens.device)[:, None]
            self.said = [(keys[rows, beams], values[rows, beams]) for keys, values in self.said]
        hidden = self.network.shared(tokens)
        past = self.said[0][0].shape[2] if self.said else 0
        nearness = self.biases(1, past + 1, device=tokens.device, past_seen_tokens=past)[0, :, 0]
        kept = []
        for layer, (block, (keys, values)) in enumerate(zip(self.blocks, self.read, strict=True)):
            own, cross, feed_forward = block.layer
            hidden, said = self._own(own, hidden, nearness, self.said[layer] if self.said else None)
            kept.append(said)
            hidden = self._cross(cross, hidden, keys, values)
            hidden = feed_forward(hidden)
        self.said = kept
        hidden = self.network.decoder.final_layer_norm(hidden)
        if self.network.config.scale_decoder_outputs:
            hidden = hidden * self.network.config.d_model**-0.5
        logits: Tensor = self.network.lm_head(hidden)
        return logits

    def _split(self, x: Tensor) -> Tensor:
        """[..., heads x size] -> [..., heads, size]."""
        return x.view(*x.shape[:-1], self.heads, -1)

    def _own(
        self, layer: Any, hidden: Tensor, nearness: Tensor, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Each beam looks at what itself has said: keys and values [B, K, steps, heads, size]."""
        attention, normed = layer.SelfAttention, layer.layer_norm(hidden)
        query = self._split(attention.q(normed))[:, :, None]
        keys, values = (self._split(project(normed))[:, :, None] for project in (attention.k, attention.v))
        if past is not None:
            keys, values = torch.cat([past[0], keys], 2), torch.cat([past[1], values], 2)
        weights = ((query * keys).sum(-1) + nearness.T).softmax(2)
        mixed = (weights[..., None] * values).sum(2)
        return hidden + attention.o(mixed.flatten(2)), (keys, values)

    def _cross(self, layer: Any, hidden: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """All beams look at the one copy of what was read: keys and values [B, heads, L, size]."""
        attention = layer.EncDecAttention
        query = self._split(attention.q(layer.layer_norm(hidden))).transpose(1, 2)
        weights = (query @ keys.transpose(-1, -2) + self.unseen).softmax(-1)
        mixed: Tensor = attention.o((weights @ values).transpose(1, 2).flatten(2))
        return hidden + mixed
