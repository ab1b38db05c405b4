"""Generated parameters on their way to a device: how many bytes they are, and what rounding leaves of them.

A head of n layers is one tensor [n, d + 1, d]: of each layer the matrix, and below it the bias.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from scenarios.schema.generators import Wire

if TYPE_CHECKING:
    from torch import Tensor

SCALE_BYTES = 4
"""With int8 every matrix and every bias brings a scale as a 32-bit float."""


def parameter_bytes(layers: int, width: int, wire: Wire) -> int:
    """Bytes of a head of so many layers of `width` x `width` and `width`."""
    numbers = layers * (width * width + width)
    match wire:
        case "fp32":
            return 4 * numbers
        case "fp16":
            return 2 * numbers
        case "int8":
            return numbers + SCALE_BYTES * 2 * layers
        case _:
            assert_never(wire)


def rounded(heads: Tensor, wire: Wire) -> Tensor:
    """[..., n, d + 1, d] heads -> the same as they arrive, in the type they came in."""
    import torch

    match wire:
        case "fp32":
            return heads.float().to(heads.dtype)
        case "fp16":
            return heads.half().to(heads.dtype)
        case "int8":
            parts = heads[..., :-1, :], heads[..., -1:, :]
            return torch.cat([_to_127_steps(part) for part in parts], -2)
        case _:
            assert_never(wire)


def _to_127_steps(part: Tensor) -> Tensor:
    """Each number becomes a multiple of the largest one's 127th part, to either side."""
    scale = (part.abs().amax((-2, -1), keepdim=True) / 127).float().to(part.dtype)
    return (part / scale.where(scale > 0, 1)).round().clamp(-127, 127) * scale
