"""Weights that are published as GGUF, once and for all as safetensors."""

from __future__ import annotations

from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import torch

from models.llms.checkpoint import FAULTS
from models.quiet import quiet
from scenarios.errors import ModelError


def to_safetensors(gguf: Path, folder: Path) -> None:
    """Write the causal LM in a GGUF file, and its tokenizer, into a folder; quantised weights become float32.

    Needs the package gguf. Raises `ModelError` where the file is damaged.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        with quiet(), redirect_stderr(StringIO()):  # a bar that does not heed its settings
            network = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            # It is marked as quantised, and would refuse to be saved, although its weights are plain numbers now.
            network.config.__dict__.pop("quantization_config", None)
            network.hf_quantizer, network.is_quantized = None, False
            network.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except FAULTS as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{gguf.name}: no GGUF file of a causal language model ({reason})") from error
