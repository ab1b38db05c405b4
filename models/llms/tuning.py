"""What of a pretrained network is tuned, and in what arithmetic; the rest of it is neither copied nor kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from models.quiet import quiet
from scenarios.errors import ModelError
from scenarios.schema.pretrained import PretrainedLlm

WORTH = 1.2
"""bfloat16 rounds, so it has to be faster by so much to be taken."""
POSITIONS = 256
"""In the matrices that are multiplied to find out."""


def keep_layers(network: Any, spec: PretrainedLlm) -> None:
    """Take off the layers that the scenario leaves out. Raises `ModelError` where there are not as many as it keeps."""
    if spec.layers is None:
        return
    total = network.config.num_hidden_layers
    stacks = [
        (module, name)
        for module in network.modules()
        for name, child in module.named_children()
        if isinstance(child, nn.ModuleList) and len(child) == total
    ]
    if spec.layers > total or len(stacks) != 1:
        raise ModelError(f"recommenders.llm.layers: {spec.layers}: {spec.model} has a stack of {total}")
    module, name = stacks[0]
    setattr(module, name, getattr(module, name)[: spec.layers])
    network.config.num_hidden_layers = spec.layers


def choose_tuned(network: Any, spec: PretrainedLlm, halves: bool) -> int:
    """Put adapters in where the scenario wants them, freeze what is not tuned, and say how many weights that are.

    Adapters change nothing at first. What is frozen is a buffer from then on, and no part of the state: no average is
    kept of it, and no file holds it. halves: frozen matrices become bfloat16; what is tuned stays as it is. Raises
    `ModelError` where no layer has a name that ends as the scenario says.
    """
    if spec.tuning == "lora":
        try:
            from peft import LoraConfig, inject_adapter_in_model
        except ImportError as error:
            raise ModelError(
                "recommenders.llm.tuning: lora needs the package peft: pip install 'recfleet[llm]'"
            ) from error
        targets: list[str] = list(spec.targets) or _linear(network)
        try:
            with quiet():
                adapters = LoraConfig(r=spec.rank, lora_alpha=spec.alpha, target_modules=targets)
                inject_adapter_in_model(adapters, network)
        except ValueError as error:
            said = " ".join(str(error).split())[:200]
            raise ModelError(f"recommenders.llm.targets: {', '.join(targets)}: no such layers ({said})") from error
    count = 0
    for module in network.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if not parameter.requires_grad:
                delattr(module, name)
                matrix = halves and parameter.dim() > 1
                weight = parameter.data.to(torch.bfloat16) if matrix else parameter.data
                module.register_buffer(name, weight, persistent=False)
                count += weight.numel()
    return count


def _linear(network: nn.Module) -> list[str]:
    """The names of all linear layers, GPT-2's transposed ones among them."""
    from transformers.pytorch_utils import Conv1D

    return [name for name, module in network.named_modules() if isinstance(module, nn.Linear | Conv1D)]


def frozen(network: nn.Module) -> list[Tensor]:
    """All that is part of the network but no part of its state: frozen weights, and tables of positions."""
    kept = network.state_dict(keep_vars=True)
    return [buffer for name, buffer in network.named_buffers() if name not in kept]


def in_halves(spec: PretrainedLlm, width: int, announce: Callable[[str], None]) -> bool:
    """Whether to tune in bfloat16: as the scenario says, or as a measurement says, which is announced."""
    if spec.precision != "auto":
        return spec.precision == "bfloat16"
    gain = _seconds(width, torch.float32) / _seconds(width, torch.bfloat16)
    taken = gain >= WORTH
    announce(
        f"{spec.model}: tuned in {'bfloat16' if taken else 'float32'}: products of matrices take bfloat16 "
        f"{1 / gain:.2f} of the time of float32 here"
    )
    return taken


@torch.no_grad()
def _seconds(width: int, dtype: torch.dtype) -> float:
    """Of the product that a network of this width makes most, the best of several."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    left = torch.ones(POSITIONS, width, dtype=dtype, device=device)
    right = torch.ones(width, 3 * width, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(7):
        began = time.perf_counter()
        for _ in range(4):
            product = left @ right
        product[0, 0].item()  # waits for an accelerator
        best = min(best, time.perf_counter() - began)
    return best
