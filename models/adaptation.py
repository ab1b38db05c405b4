"""Devices that go on training their own model as they live; many devices at once.

What a device learns is a head between the model's state and the items' vectors, zero at the beginning:

    adapted state = state + weight @ (directions @ state) + bias

`bias` learns the bias alone: a shift of every item's score by its vector's product with it. `last_layer` learns a whole
matrix as well (directions are the identity). `low_rank` learns how a state's part in the main directions of the items'
vectors moves: a low-rank update whose inner matrix is given and shared by all, as in LoRA-FA (Zhang et al., 2023, arXiv
2308.03303). All three are convex in what is learned, and each contains the one before: low rank at full rank is the
last layer.

The loss is the cross-entropy of the next item, as in the model's own training (`models.srms.base`), over the device's
last items, with the model's states frozen. A device scores what it has vectors of: its part of the catalogue, and the
items that it took itself, which its model has read; never what only the cloud knows. With `fleet.catalogue: none` that
leaves the items of the window alone, against each other.

The head at a step is a function of the user and the step: of what was lived before the last re-training. So outcomes
stay functions of (user, cut, step), and all heads of all devices can be computed ahead, with `torch.func`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.func import grad, vmap

from models.catalogue import Part
from models.reading import read, spans
from models.srms.base import DotProductSrm, Srm
from scenarios.behaviour import IntArray
from scenarios.schema.adaptation import Adaptation

CELLS = 4_000_000
"""Scores in a batch: devices times their window times what they score."""


def directions(srm: Srm, spec: Adaptation) -> Tensor:
    """[rank, width] what the head sees of a state; no rows where it sees nothing.

    The main directions of the items' vectors: of all sets of so many, the one that they are told by best. Their signs
    are arbitrary, and nothing depends on them.
    """
    vectors = srm.items.weight.detach()
    width = vectors.shape[1]
    if spec.kind == "bias":
        return vectors.new_zeros(0, width)
    if spec.kind == "last_layer":
        return torch.eye(width, dtype=vectors.dtype, device=vectors.device)
    exact = vectors.double()
    by_weight: Tensor = torch.linalg.eigh(exact.T @ exact).eigenvectors.flip(1)  # they come in rising order
    return by_weight[:, : spec.rank].T.to(vectors.dtype).contiguous()


class Adapter:
    """Adapts the states of many devices' models; `models.head.refuse` says which can be."""

    def __init__(self, srm: Srm, spec: Adaptation, part: Part) -> None:
        assert isinstance(srm, DotProductSrm)
        self._srm, self._spec = srm, spec
        self._vectors = srm.items.weight.detach()
        held = torch.from_numpy(part.ids[: part.vectors]).to(self._vectors.device)
        self._scored = self._vectors[held]
        self._is_scored = torch.zeros(srm.n_items, dtype=torch.bool, device=held.device)
        self._is_scored[held] = True
        self._directions = directions(srm, spec)
        self._gradients = vmap(grad(self._loss, argnums=(0, 1)))

    @torch.no_grad()
    def adapt(
        self, states: Tensor, items: npt.NDArray[np.int32], streams: IntArray, first: IntArray, steps: IntArray
    ) -> Tensor:
        """[sum of steps, width] the model's states before all steps of some users, user by user -> the same, adapted.

        streams, first, steps: [users] as `models.blocks.Blocks` has them, steps at least 1.
        """
        early = np.minimum(self._spec.window, first - 1)  # nothing is known before a stream's first item
        spread, device = early + steps, states.device
        base = np.cumsum(spread) - spread
        lived = states.new_empty((int(spread.sum()), states.shape[1]))
        lived[torch.from_numpy(spans(base + early, steps)).to(device)] = states
        if early.sum():
            ends = np.repeat(streams, early) + spans(first - early, early)
            before = read(self._srm.encode, items, np.repeat(streams, early), ends, device)
            lived[torch.from_numpy(spans(base, early)).to(device)] = before
        taken = torch.from_numpy(items[spans(streams + first - early, spread)].astype(np.int64)).to(device)
        adapted = torch.empty_like(states)
        into = np.cumsum(steps) - steps
        by_length = np.argsort(-steps, kind="stable")
        size = max(1, CELLS // (self._spec.window * max(len(self._scored), self._spec.window)))
        for some in np.split(by_length, range(size, len(by_length), size)):
            self._live(lived, taken, base[some], early[some], steps[some], adapted, into[some])
        return adapted

    def _live(
        self,
        lived: Tensor,
        taken: Tensor,
        base: IntArray,
        early: IntArray,
        steps: IntArray,
        adapted: Tensor,
        into: IntArray,
    ) -> None:
        """Have some devices live through their steps, those with most first; writes their rows of `adapted`.

        lived, taken: states before each item, and the items, user after user; those of device i begin at base[i], and
        its step 0 lies `early[i]` after that. into: where its steps begin in `adapted`.
        """
        device, width = lived.device, lived.shape[1]
        weight = lived.new_zeros(len(steps), width, len(self._directions))
        bias = lived.new_zeros(len(steps), width)
        for start in range(0, int(steps[0]), self._spec.every):
            alive = int(np.searchsorted(-steps, -start))  # those with more steps than `start`
            weight, bias = weight[:alive], bias[:alive]
            places = early[:alive, None] + start - self._spec.window + np.arange(self._spec.window)
            known = torch.from_numpy(places >= 0).to(device)
            rows = torch.from_numpy(base[:alive, None] + np.maximum(places, 0)).to(device)
            some = known.any(1)
            if some.all():
                weight, bias = self._train(weight, bias, lived[rows], taken[rows], known)
            elif some.any():
                weight, bias = weight.clone(), bias.clone()
                weight[some], bias[some] = self._train(
                    weight[some], bias[some], lived[rows[some]], taken[rows[some]], known[some]
                )
            shown = np.arange(self._spec.every) < (steps[:alive] - start)[:, None]
            places = base[:alive, None] + early[:alive, None] + start + np.arange(self._spec.every)
            here = lived[torch.from_numpy(np.where(shown, places, 0)).to(device)]
            made = here + (here @ self._directions.T) @ weight.transpose(1, 2) + bias[:, None]
            there = into[:alive, None] + start + np.arange(self._spec.every)
            adapted[torch.from_numpy(there[shown]).to(device)] = made[torch.from_numpy(shown).to(device)]

    def _train(
        self, weight: Tensor, bias: Tensor, states: Tensor, items: Tensor, known: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Heads of U devices after their gradient steps. states: [U, W, width]. items, known: [U, W]."""
        spec = self._spec
        # An item of the window that the part lacks is scored too, once.
        same = (items[:, :, None] == items[:, None, :]) & known[:, None, :]
        own = known & ~self._is_scored[items] & ~same.tril(-1).any(2)
        given = (states, states @ self._directions.T, self._vectors[items], known, own)
        for _ in range(spec.steps):
            of_weight, of_bias = self._gradients(weight, bias, *given)
            weight = weight - spec.learning_rate * (of_weight + spec.decay * weight)
            bias = bias - spec.learning_rate * (of_bias + spec.decay * bias)
        return weight, bias

    def _loss(
        self, weight: Tensor, bias: Tensor, states: Tensor, seen: Tensor, targets: Tensor, known: Tensor, own: Tensor
    ) -> Tensor:
        """Of one device. weight: [width, rank]. states, targets: [W, width]. seen: [W, rank]. known, own: [W]."""
        adapted = states + seen @ weight.T + bias
        scores = adapted @ self._scored.T
        if len(self._scored) < len(self._is_scored):
            others = (adapted @ targets.T).masked_fill(~own, -torch.inf)
            scores = torch.cat([scores, others], 1)
        losses = scores.logsumexp(1) - (adapted * targets).sum(1)
        return (losses * known).sum() / known.sum()
