"""A Hugging Face causal language model over item tokens: token i is item i, and the next token is the next item.

What it reads. A model that read the last `window` items at every cut would have to read each of them `window` times,
once at each place. So contexts begin only at multiples of window / 2: at a cut after p items it reads from the first
such place that leaves at most `window` items, between window / 2 and `window` of them (all of them while p <= window).
Cuts then share their contexts' beginnings, one pass over a segment serves half a window of cuts, and a history taken
alone gives the same list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.catalogue_loss import catalogue_loss
from models.llms import architecture
from models.llms.checkpoint import reason
from models.llms.tied import keep_one_name
from models.quiet import quiet
from models.srms.base import PAD
from scenarios.behaviour import IntArray
from scenarios.schema.recommenders import CausalLlm

LOUDER = 2.0**10
"""By what an output layer is multiplied to see whether large logits are bent: those of an untrained network are small.
A power of 2 leaves the weights as they were."""


def context_starts(seen: IntArray, window: int) -> IntArray:
    """Where in its stream the context of a cut after `seen` items begins."""
    stride = window // 2
    return np.maximum(0, -(-(seen - window) // stride) * stride)


class Causal(nn.Module):
    """The model, how it is trained, and the candidate lists that it gives."""

    JUDGED: ClassVar[int] = 5_000

    def __init__(self, network: Any, n_items: int, window: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.network = network
        self.n_items, self.window, self.dropout = n_items, window, dropout
        if network.config.tie_word_embeddings:
            keep_one_name(self)

    def encode(self, items: Tensor) -> Tensor:
        """[B, T] ids (right-padded with `PAD`) -> [B, T, width] hidden states after each item."""
        vectors = self.network.get_input_embeddings()(items.clamp(min=0))
        # The network has no dropout but on its attention, and small data need more.
        vectors = functional.dropout(vectors, self.dropout, self.training)
        hidden: Tensor = self.network.base_model(inputs_embeds=vectors, use_cache=False).last_hidden_state
        return functional.dropout(hidden, self.dropout, self.training)

    def contexts(self, seen: IntArray) -> IntArray:
        """See `context_starts`."""
        return context_starts(seen, self.window)

    def score_all(self, states: Tensor) -> Tensor:
        """[N, width] hidden states -> [N, n_items] logits of the next item."""
        logits: Tensor = self.network.get_output_embeddings()(states)[..., : self.n_items]
        return logits

    def loss(self, items: Tensor) -> Tensor:
        """[B, T] windows (right-padded with `PAD`) -> mean cross-entropy of each item given those before."""
        targets = items[:, 1:]
        real = targets != PAD
        table = self.network.get_output_embeddings().weight[: self.n_items]
        return catalogue_loss(self.encode(items[:, :-1])[real], table, targets[real])

    def candidates(
        self, histories: Sequence[npt.NDArray[np.integer]], length: int
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
        """(ids, logits), best first, for each history by itself: real items, none twice, none of the history's.

        The ordinary forward pass of the network, and an ordinary sort. `models.blocks` gets the same lists in batches.
        """
        return [self._one(history, length) for history in histories]

    def _one(
        self, history: npt.NDArray[np.integer], length: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        start = int(self.contexts(np.array([len(history)]))[0])
        ids = torch.as_tensor(np.asarray(history[start:], np.int64), device=self.network.device)[None]
        with torch.no_grad():
            logits = self.network(input_ids=ids, use_cache=False).logits[0, -1, : self.n_items].double().cpu().numpy()
        fresh = np.setdiff1d(np.arange(self.n_items), history)
        best = fresh[np.argsort(-logits[fresh], kind="stable")][:length]
        return best, logits[best]


def build(n_items: int, spec: CausalLlm) -> Causal:
    """An untrained model of the scenario's architecture and size. Raises `ModelError` where it cannot be used so."""
    model = Causal(architecture.untrained(n_items, spec), n_items, spec.window, spec.dropout)
    found = fault(model)
    if found is not None:
        raise architecture.refusal(spec, found)
    return model


def fault(model: Causal) -> str | None:
    """Why its lists made in batches would not be those of the network's own pass; None where they are the same."""
    training = model.training
    try:
        with quiet():
            model.eval()
            ahead, bent = _looks_ahead(model), _bends(model)
    except Exception as error:  # whatever comes up in two hundred architectures
        return f"it cannot be run ({reason(error)})"
    finally:
        model.train(training)
    if ahead:
        return "it looks ahead, at items that come later"
    return "its logits are not its output layer applied to its states" if bent else None


def _some(model: Causal) -> Tensor:
    return torch.arange(min(8, model.n_items, model.window), device=model.network.device)[None]


def _looks_ahead(model: Causal) -> bool:
    """Whether a state has any slope in an item that comes later."""
    network, early = model.network, 2
    with torch.enable_grad():
        read = network.get_input_embeddings()(_some(model)).detach().requires_grad_()
        states = network.base_model(inputs_embeds=read, use_cache=False).last_hidden_state[:, :early]
        # Norms make plain sums the same whatever was read.
        (slopes,) = torch.autograd.grad((states * torch.arange(states.shape[-1], device=states.device)).sum(), read)
    return bool((slopes[:, early:] != 0).any())


@torch.no_grad()
def _bends(model: Causal) -> bool:
    """Whether the network scales or caps what its output layer says."""
    head, items = model.network.get_output_embeddings().weight, _some(model)
    head.mul_(LOUDER)
    mine = model.score_all(model.encode(items))
    own = model.network(items, use_cache=False).logits[..., : model.n_items]
    head.div_(LOUDER)
    return not bool((mine - own).abs().max() <= 1e-4 * own.abs().max())
