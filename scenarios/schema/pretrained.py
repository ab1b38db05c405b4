"""A language model that has learned words, as the large model in the cloud."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scenarios.schema.base import Block, Count
from scenarios.schema.training import Training


class PretrainedLlm(Block):
    """A pretrained Hugging Face causal LM whose vocabulary has a token for each item, tuned on the histories."""

    kind: Literal["pretrained"] = "pretrained"
    model: Annotated[str, Field(pattern=r"^\S.*$")] = "smollm2-135m"
    """A folder, relative to the scenario file (config.json, safetensors, tokenizer.json); a name of `recfleet models
    list`; or OWNER/NAME on the Hugging Face hub."""
    prompt: str = ""
    """Words that the network reads before every history."""
    layers: Count | None = None
    """How many of the network's layers are kept, from the first; none: all. The upper ones matter least for
    recommendation, and cost as much (SLMRec; Xu et al., ICLR 2025)."""
    tuning: Literal["lora", "full"] = "lora"
    """What is tuned besides the items' vectors: adapters of low rank (Hu et al., 2021), or every weight."""
    rank: Count = 8
    """Of an adapter; this and the next two are of LoRA alone."""
    alpha: Count = 16
    """An adapter's product is scaled by alpha / rank."""
    targets: tuple[str, ...] = ("q_proj", "v_proj")
    """Linear layers that get an adapter, by the ends of their names; none named: all of them."""
    window: Annotated[int, Field(ge=4)] = 20
    """Most items of a history that the model reads, and the length of a training window."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Of what goes into the network and of what comes out of it."""
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """Arithmetic of the tuning; auto: bfloat16 where a measurement on this machine finds it faster."""
    training: Training = Training(epochs=10, learning_rate=0.003)
