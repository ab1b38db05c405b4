"""TTT4Rec: a recommender that trains itself while it reads (Yang, Wang and Ge, 2024, arXiv 2409.19142).

The layer's memory is a small net whose weights take a gradient step on a reconstruction loss at every item: test-time
training, TTT-Linear and TTT-MLP of Sun et al. (2024, arXiv 2407.04620). Block and inner loss follow the released code,
whose run has `layers: 1` and `heads: 4`; the paper differs (rotary item vectors, target v, one inner step an item, an
output matrix of its own), and here dropout falls on what a block adds, too. With the block's input x, each head has a
query q, a key k and a value v, q and k rotated by the place p of the item in its inner mini-batch, and with W the fast
weights at that mini-batch's beginning

    G_s = gradient in W of 1/2 |norm(net(k_s; W)) - (v_s - k_s)|^2,    rate_s = sigmoid(u.x_s + u0) / head width,
    W_t = W - max(0, 1 / (p + 1) + tau_p) sum_{s <= t} rate_s G_s,     o_t = q_t + norm(net(q_t; W_t)).

The last W_t of a mini-batch begins the next one. `encode` uses the dual form, which makes no W_t; a device keeps W and
the sum. Training goes through the inner steps: the learned start of W, k, v, rates and tau all have gradients.

Options: `inner` is the net, `linear` (default: the paper's better one on short histories) or `mlp`; `inner_batch` how
many items an inner mini-batch has. Two controls that the paper lacks leave W at its learned start: `updates: false`, a
model trained without inner steps, and `updates_at_test: false`, one trained with them that goes without on the device.
`fast_weights` says how long W lives. A stream here has no sessions: with `reset` (default) W begins anew at every
`window`-th item of the stream, so that no state is further from its beginning than in training, as in the paper; with
`persist` it lives as long as the device.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.srms.base import DotProductSrm
from scenarios.errors import ModelError
from scenarios.schema.recommenders import Srm as Spec

ROTARY_BASE = 1000.0
INNER_RATE = 1.0
"""Upper end of the learned inner rates, before the division by the head width."""
EPSILON = 1e-6

Weights = tuple[Tensor, ...]
"""Each layer of the inner net: [..., heads, inputs + 1, outputs], the bias in the last row."""


def _with_one(x: Tensor) -> Tensor:
    """[..., n] -> [..., n + 1]: the input that the bias weighs."""
    return functional.pad(x, (0, 1), value=1.0)


def _gelu(x: Tensor) -> Tensor:
    return functional.gelu(x, approximate="tanh")


def _gelu_slope(x: Tensor) -> Tensor:
    root = math.sqrt(2 / math.pi)
    tanh = torch.tanh(root * (x + 0.044715 * x**3))
    return 0.5 * (1 + tanh) + 0.5 * x * (1 - tanh**2) * root * (1 + 3 * 0.044715 * x**2)


def _net(weights: Weights, x: Tensor) -> Tensor:
    """The inner net: [..., heads, n, head width] -> the same."""
    out = _with_one(x) @ weights[0]
    for layer in weights[1:]:
        out = _with_one(_gelu(out)) @ layer
    return out


class TestTimeTraining(nn.Module):
    """The layer that trains while it reads, in place of attention."""

    def __init__(self, spec: Spec, hidden: tuple[int, ...], inner_batch: int, updates: bool) -> None:
        super().__init__()
        self.heads, self.head_width = spec.heads, spec.width // spec.heads
        self.inner_batch, self.updates = inner_batch, updates
        self.project = nn.Linear(spec.width, 3 * spec.width, bias=False)
        self.rate = nn.Linear(spec.width, spec.heads)
        self.shorten = nn.Parameter(torch.zeros(inner_batch))
        sizes = (self.head_width, *hidden, self.head_width)
        self.initial = nn.ParameterList(
            torch.cat([0.02 * torch.randn(spec.heads, inputs, outputs), torch.zeros(spec.heads, 1, outputs)], dim=1)
            for inputs, outputs in pairwise(sizes)
        )
        self.gain = nn.Parameter(torch.ones(spec.heads, 1, self.head_width))
        self.shift = nn.Parameter(torch.zeros(spec.heads, 1, self.head_width))
        self.norm = nn.LayerNorm(spec.width, eps=EPSILON)
        self.out = nn.Linear(spec.width, spec.width, bias=False)
        frequency = ROTARY_BASE ** (-torch.arange(0, self.head_width, 2) / self.head_width)
        angle = (torch.arange(inner_batch)[:, None] * frequency).repeat_interleave(2, dim=1)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        self.register_buffer("parts", 1 / torch.arange(1, inner_batch + 1), persistent=False)

    def learned_start(self) -> Weights:
        """The fast weights of a device that has seen nothing, without a batch dimension."""
        return tuple(self.initial)

    def _rotate(self, x: Tensor, places: slice) -> Tensor:
        turned = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).flatten(-2)
        return x * cast(Tensor, self.cos)[places] + turned * cast(Tensor, self.sin)[places]

    def _views(self, x: Tensor, places: slice) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """[..., n, width] -> queries, keys and targets [..., heads, n, head width], rates [..., heads, n]."""
        projected = self.project(x).unflatten(-1, (3, self.heads, self.head_width)).movedim(-4, -2)
        query, key, value = projected.unbind(-4)
        query, key = self._rotate(query, places), self._rotate(key, places)
        rate = INNER_RATE / self.head_width * self.rate(x).sigmoid().mT
        return query, key, value - key, rate

    def _scale(self, places: slice) -> Tensor:
        """[n] by how much the sum of gradients is shortened at each place."""
        scale: Tensor = (cast(Tensor, self.parts) + self.shorten).clamp(min=0)
        return scale[places]

    def _normalise(self, z: Tensor) -> Tensor:
        return self.gain * functional.layer_norm(z, z.shape[-1:], eps=EPSILON) + self.shift

    def _slopes(self, weights: Weights, key: Tensor, target: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Of each layer of the net: its inputs [..., n, inputs + 1], and the loss's gradients [..., n, outputs]."""
        inputs = [_with_one(key)]
        outputs = [inputs[0] @ weights[0]]
        for layer in weights[1:]:
            inputs.append(_with_one(_gelu(outputs[-1])))
            outputs.append(inputs[-1] @ layer)
        variance, mean = torch.var_mean(outputs[-1], dim=-1, keepdim=True, correction=0)
        deviation = (variance + EPSILON).sqrt()
        z = (outputs[-1] - mean) / deviation
        slope = (self.gain * z + self.shift - target) * self.gain
        slope = slope - slope.mean(-1, keepdim=True) - z * (slope * z).mean(-1, keepdim=True)
        slopes = [slope / deviation]
        for layer, output in zip(weights[:0:-1], outputs[-2::-1], strict=True):
            slopes.append(slopes[-1] @ layer[..., :-1, :].mT * _gelu_slope(output))
        return inputs, slopes[::-1]

    def _leave(self, query: Tensor, read: Tensor) -> Tensor:
        """[..., heads, n, head width] queries and what the net says to them -> [..., n, width]."""
        joined = (query + self._normalise(read)).movedim(-3, -2).flatten(-2)
        left: Tensor = self.out(self.norm(joined))
        return left

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, width] -> [B, T, width]; one pass a mini-batch, no weights but those between them are made."""
        length, size = x.shape[1], self.inner_batch
        batches = -(-length // size)
        x = functional.pad(x, (0, 0, 0, batches * size - length)).view(-1, batches, size, x.shape[-1])
        query, key, target, rate = self._views(x, slice(size))
        weights = self.learned_start()
        if not self.updates:
            return self._leave(query, _net(weights, query)).flatten(1, 2)[:, :length]
        scaled = (self._scale(slice(size))[:, None] * rate[..., None, :]).tril()
        reads = []
        for each in zip(*(part.unbind(1) for part in (query, key, target, scaled)), strict=True):
            weights, read = self._dual(weights, *each)
            reads.append(read)
        return self._leave(query, torch.stack(reads, dim=1)).flatten(1, 2)[:, :length]

    def _dual(
        self, weights: Weights, query: Tensor, key: Tensor, target: Tensor, scaled: Tensor
    ) -> tuple[Weights, Tensor]:
        """A mini-batch: weights before it, ..., rates [B, heads, query, key] -> weights after it, the net's answers."""
        inputs, slopes = self._slopes(weights, key, target)
        after, read = [], query
        for depth, (layer, x, slope) in enumerate(zip(weights, inputs, slopes, strict=True)):
            seen = _with_one(_gelu(read) if depth else read)
            read = seen @ layer - (scaled * (seen @ x.mT)) @ slope
            after.append(layer - (scaled[..., -1, :, None] * x).mT @ slope)
        return tuple(after), read

    def step(self, weights: Weights, sums: Weights, place: int, x: Tensor) -> tuple[Weights, Weights, Tensor]:
        """An item [B, width] at a place of its mini-batch, whose gradients times rates so far add up to `sums`."""
        places = slice(place, place + 1)
        query, key, target, rate = self._views(x[:, None], places)
        if not self.updates:
            return weights, sums, self._leave(query, _net(self.learned_start(), query))[:, 0]
        inputs, slopes = self._slopes(weights, key, target)
        sums = tuple(
            total + (rate[..., None] * each).mT @ slope for total, each, slope in zip(sums, inputs, slopes, strict=True)
        )
        now = tuple(layer - self._scale(places) * total for layer, total in zip(weights, sums, strict=True))
        left = self._leave(query, _net(now, query))[:, 0]
        if place + 1 < self.inner_batch:
            return weights, sums, left
        return now, tuple(torch.zeros_like(total) for total in sums), left


class Block(nn.Module):
    """x + layer(norm(x)), then x + swiglu(norm(x)), four times as wide inside."""

    def __init__(self, spec: Spec, hidden: tuple[int, ...], inner_batch: int, updates: bool) -> None:
        super().__init__()
        self.layer = TestTimeTraining(spec, hidden, inner_batch, updates)
        self.before_layer = nn.RMSNorm(spec.width, eps=EPSILON)
        self.before_feed_forward = nn.RMSNorm(spec.width, eps=EPSILON)
        self.gate_and_up = nn.Linear(spec.width, 8 * spec.width, bias=False)
        self.down = nn.Linear(4 * spec.width, spec.width, bias=False)
        self.dropout = nn.Dropout(spec.dropout)

    def join(self, x: Tensor, read: Tensor) -> Tensor:
        """What comes after the layer, position by position."""
        x = x + self.dropout(read)
        gate, up = self.gate_and_up(self.before_feed_forward(x)).chunk(2, dim=-1)
        fed: Tensor = self.dropout(self.down(functional.silu(gate) * up))
        return x + fed


Memory = tuple[tuple[tuple[Weights, Weights], ...], int]


class Model(DotProductSrm):
    """See the head of this file. Memory: fast weights and sum of gradients of each block, and how many items were seen.

    Raises `ModelError` for options outside their range, or heads of an odd width, which cannot be rotated in pairs.
    """

    OPTIONS = {"inner": "linear", "inner_batch": 8, "updates": True, "updates_at_test": True, "fast_weights": "reset"}

    def __init__(self, n_items: int, spec: Spec) -> None:
        super().__init__(n_items, spec)
        for name, known in (("inner", ("linear", "mlp")), ("fast_weights", ("persist", "reset"))):
            if self.option(name) not in known:
                raise ModelError(
                    f"recommenders.srm.options.{name}: {self.option(name)!r} is not one of {', '.join(known)}"
                )
        if self.option("inner_batch") < 1:
            raise ModelError(f"recommenders.srm.options.inner_batch: {self.option('inner_batch')} is less than 1")
        head_width = spec.width // spec.heads
        if head_width % 2:
            raise ModelError(
                f"recommenders.srm: ttt4rec needs an even width / heads, but {spec.width} / {spec.heads} = {head_width}"
            )
        hidden = (4 * head_width,) if self.option("inner") == "mlp" else ()
        self.updates: bool = self.option("updates") and self.option("updates_at_test")
        self.blocks = nn.ModuleList(
            Block(spec, hidden, self.option("inner_batch"), self.updates) for _ in range(spec.layers)
        )
        self.enter = nn.LayerNorm(spec.width, eps=1e-12)
        self.norm = nn.RMSNorm(spec.width, eps=EPSILON)
        self.dropout = nn.Dropout(spec.dropout)
        for module in self.blocks.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def state_bytes(self) -> int:
        """What a device keeps between two items: fast weights and sums, without the count of items."""
        blocks, _ = self.start(1)
        return sum(part.nbytes for block in blocks for half in block for part in half)

    def _blocks(self) -> list[Block]:
        return cast("list[Block]", list(self.blocks))

    def _enter(self, items: Tensor) -> Tensor:
        entered: Tensor = self.enter(self.dropout(self.items(items.clamp(min=0))))
        return entered

    def encode(self, items: Tensor) -> Tensor:
        """See `Srm.encode`; states are [B, T, width]."""
        batch, length = items.shape
        if self.option("fast_weights") == "reset" and length > self.spec.window:
            # Where the fast weights begin anew, another stream might as well begin.
            windows = -(-length // self.spec.window)
            padded = functional.pad(items, (0, windows * self.spec.window - length))
            return self.encode(padded.view(batch * windows, -1)).view(batch, -1, self.spec.width)[:, :length]
        x = self._enter(items)
        for block in self._blocks():
            x = block.join(x, block.layer(block.before_layer(x)))
        states: Tensor = self.norm(x)
        return states

    def start(self, batch: int) -> Memory:
        """See `Srm.start`."""
        if not self.updates:
            return (((), ()),) * self.spec.layers, 0
        starts = [
            tuple(layer.expand(batch, *layer.shape) for layer in block.layer.learned_start())
            for block in self._blocks()
        ]
        return tuple((weights, tuple(torch.zeros_like(layer) for layer in weights)) for weights in starts), 0

    def step(self, memory: Memory, item: Tensor) -> tuple[Memory, Tensor]:
        """See `Srm.step`."""
        blocks, seen = memory
        if self.option("fast_weights") == "reset" and seen == self.spec.window:
            blocks, seen = self.start(len(item))
        x, kept = self._enter(item), []
        for block, (weights, sums) in zip(self._blocks(), blocks, strict=True):
            weights, sums, read = block.layer.step(
                weights, sums, seen % self.option("inner_batch"), block.before_layer(x)
            )
            x = block.join(x, read)
            kept.append((weights, sums))
        return (tuple(kept), seen + 1), self.norm(x)
