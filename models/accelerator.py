"""Where outcomes are made: on an accelerator where there is one, with nothing to set."""

from __future__ import annotations

import torch


def accelerator(kind: torch.dtype) -> torch.device:
    """CUDA's device, else Apple's where it knows numbers of this kind, else the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available() and kind != torch.float64:
        return torch.device("mps")
    return torch.device("cpu")
