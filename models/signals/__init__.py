"""Request signals: what a device can compute of the list it holds, to tell whether it should ask for a new one.

A new signal is a file with a function of `Held` and a line here. Names are the policies' names for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from models.held import Held

NAMES = ("footrule",)
"""Each names a file of this folder and the function in it."""


def signal(name: str) -> Callable[[Held], Tensor]:
    """The function of a signal: Held of N moments -> [N] values. Imports torch."""
    from importlib import import_module

    function: Callable[[Held], Tensor] = getattr(import_module(f"models.signals.{name}"), name)
    return function
