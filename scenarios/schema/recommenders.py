"""The two models: the small one on the device (SRM) and the large one in the cloud (LLM)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from scenarios.schema.base import Block, Count
from scenarios.schema.generators import Generator
from scenarios.schema.pretrained import PretrainedLlm
from scenarios.schema.stages import Distillation, Stage
from scenarios.schema.training import Training

SrmKind = Literal["sasrec", "gru4rec", "din", "ttt4rec"]
"""Each names a file of `models/srms/`."""
POINTWISE = frozenset({"din"})
"""Those that score an item otherwise than by the dot product of its vector with a state."""


class Srm(Block):
    """The small recommendation model on every device."""

    kind: SrmKind = "sasrec"
    width: Annotated[int, Field(ge=4)] = 64
    """Length of an item's vector."""
    layers: Count = 2
    heads: Count = 2
    window: Annotated[int, Field(ge=2)] = 50
    """How many past items the model attends to (and the length of a training window)."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    options: dict[str, bool | int | float | str] = {}
    """Settings that only this kind has; the head of its file names them."""
    training: Training = Training()
    stages: tuple[Stage, ...] = ()
    """What is done to it after that training, in this order."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Srm:
        if self.width % self.heads:
            raise ValueError(f"width ({self.width}) must be a multiple of heads ({self.heads})")
        return self


class CausalLlm(Block):
    """A Hugging Face causal LM over item tokens, built from this configuration and trained on the histories."""

    kind: Literal["causal"] = "causal"
    architecture: str = "llama"
    """A `model_type` of transformers that has a causal LM: llama, gpt2, gpt_neox, mistral, opt, qwen2 and others."""
    width: Annotated[int, Field(ge=8)] = 128
    layers: Count = 2
    heads: Count = 4
    window: Annotated[int, Field(ge=4)] = 50
    """Most items of a history that the model reads, and the length of a training window."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    training: Training = Training()

    @model_validator(mode="after")
    def _heads_divide_width(self) -> CausalLlm:
        if self.width % self.heads:
            raise ValueError(f"width ({self.width}) must be a multiple of heads ({self.heads})")
        return self


class LocalLlm(Block):
    """A Hugging Face causal LM over item tokens in a local folder (config.json and safetensors)."""

    kind: Literal["local"] = "local"
    path: Path
    """The folder, relative to the scenario file. Token i is item i of the data set; at least as many as items."""
    window: Annotated[int, Field(ge=4)] = 100
    """Most items of a history that the model reads."""


class T5Llm(Block):
    """The P5 way: a Hugging Face T5 that names items by codes, built from this configuration and trained likewise."""

    kind: Literal["t5"] = "t5"
    item_ids: Literal["digits", "token", "semantic_text", "semantic_behaviour"] = "digits"
    """An item's code: its number in digits, a token of its own, or clusters of its title's or behaviour's vector."""
    levels: Count = 3
    """Clusterings of a semantic id, one of what the one before left over."""
    codebook: Annotated[int, Field(ge=2)] = 256
    """Clusters of each; the defaults are TIGER's (Rajput et al., NeurIPS 2023)."""
    width: Annotated[int, Field(ge=8)] = 128
    layers: Count = 2
    """Of the encoder, and as many of the decoder."""
    heads: Count = 4
    window: Annotated[int, Field(ge=2)] = 50
    """Most items of a history that the model reads, and the length of a training window."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    beams: Count | None = None
    """With how many beams lists are searched, at least as many as a list has items; none: every item is scored."""
    constrained: bool = True
    """Whether answers are held to real items that the user has not consumed. Else beams, as many as a list has items
    where none are given, say what they like, as in P5 and LSC4Rec's released code: what names no item, none that is
    left or one for the second time is dropped, and its place in the list stays empty."""
    training: Training = Training()

    @model_validator(mode="after")
    def _heads_divide_width(self) -> T5Llm:
        if self.width % self.heads:
            raise ValueError(f"width ({self.width}) must be a multiple of heads ({self.heads})")
        return self


class LocalT5(Block):
    """A Hugging Face T5 in a local folder (config.json and safetensors) that names items by codes."""

    kind: Literal["local_t5"] = "local_t5"
    path: Path
    """The folder, relative to the scenario file."""
    item_ids: Literal["text", "digits", "token", "semantic"] = "text"
    """An item's code: its number as the folder's own tokenizer writes it, asked for in P5's words; or tokens from 2 on,
    without words: one for each digit, one for each item, or what the folder's item_codes.json lists for each item, a
    list of token numbers, all of one length (semantic ids: a path of clusters, which only who trained it knows)."""
    window: Annotated[int, Field(ge=2)] = 50
    beams: Count | None = None
    constrained: bool = True


Llm = Annotated[CausalLlm | LocalLlm | PretrainedLlm | T5Llm | LocalT5, Field(discriminator="kind")]


class Recommenders(Block):
    """What answers on the device and in the cloud, and how the two are joined."""

    srm: Srm = Srm()
    llm: Llm | None = CausalLlm()
    """What makes the lists; none: the cloud sends parameters alone."""
    generator: Generator | None = None
    """What makes parameters for the device's model, which is trained together with it; none: the cloud sends lists
    alone. With both, the device's own scores of the list are those of the model with these parameters."""
    list_length: Annotated[int, Field(ge=10)] = 50
    """Items in the candidate list that the cloud sends."""
    precision: Literal["float32", "float64"] = "float32"
    """Arithmetic of the outcomes (training is always float32)."""

    @model_validator(mode="after")
    def _something_is_sent(self) -> Recommenders:
        if self.llm is None and self.generator is None:
            raise ValueError("llm and generator are both null, so the cloud has nothing to send; expected one of them")
        if self.generator is not None and self.srm.stages:
            raise ValueError("srm.stages must be empty with a generator, which trains the device's model itself")
        for stage in self.srm.stages:
            tokens = isinstance(stage, Distillation) and stage.embedding_weight and stage.vectors == "tokens"
            if tokens and not isinstance(self.llm, PretrainedLlm):
                raise ValueError("srm.stages: vectors: tokens are those of an llm of kind pretrained, which it is not")
        if self.generator is not None and self.srm.kind in POINTWISE:
            raise ValueError(f"srm.kind: {self.srm.kind} has no state that a generated head could be put on")
        return self
