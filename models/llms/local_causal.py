"""A causal language model over item tokens that lies in a local folder; it is used as it is."""

from __future__ import annotations

from models.llms.causal import Causal, fault
from models.llms.checkpoint import open_network
from scenarios.errors import ModelError
from scenarios.schema.recommenders import LocalLlm


def load(n_items: int, spec: LocalLlm) -> Causal:
    """The model in the scenario's folder. Raises `ModelError` where its files are not those of such a model."""
    from transformers import AutoModelForCausalLM

    folder = spec.path
    network = open_network(AutoModelForCausalLM, folder, "recommenders.llm.path")
    tokens = network.get_input_embeddings().num_embeddings
    if tokens < n_items:
        raise ModelError(f"recommenders.llm.path: {folder} knows {tokens} tokens, but the data set has {n_items} items")
    longest = getattr(network.config, "max_position_embeddings", spec.window)
    if spec.window > longest:
        raise ModelError(f"recommenders.llm.window: {spec.window} is more than the {longest} positions of {folder}")
    model = Causal(network, n_items, spec.window)
    found = fault(model)
    if found is not None:
        raise ModelError(f"recommenders.llm.path: {folder}: {found}")
    return model
