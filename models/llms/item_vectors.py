"""The vectors by which a large model knows items, for whoever learns from them."""

from __future__ import annotations

import torch
from torch import Tensor

from models.llms.base import Llm
from models.llms.causal import Causal
from models.llms.pretrained import Pretrained
from models.llms.t5 import T5
from scenarios.errors import ModelError


@torch.no_grad()
def item_vectors(llm: Llm) -> Tensor:
    """[n_items, width] a copy of the table that the model reads items by, in its own precision and on its own device.

    Raises `ModelError` for a model that spells items, and so has no vector that is one item's own.
    """
    match llm:
        case Causal():
            table: Tensor = llm.network.get_input_embeddings().weight[: llm.n_items]
            return table.clone()
        case Pretrained():
            return llm.vocabulary.items.clone()
        case T5() if llm.item_tokens.shape[1] == 1:
            own: Tensor = llm.network.get_input_embeddings().weight[llm.item_tokens[:, 0].long()]
            return own.clone()
        case _:
            raise ModelError("recommenders.llm: it names items by several tokens each, so it has no vectors of items")
