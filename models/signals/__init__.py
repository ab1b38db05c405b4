"""Request signals: what a device can compute of the list it holds, to tell whether it should ask for a new one.

A new signal is a file with a function of `HeldSince` and a line here. Names are the policies' names for them. All are
functions of (user, cut, step) alone: of the list, of what the user did since it came, and of the device's own model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from models.held import HeldSince

NAMES = (
    "age",
    "consumed",
    "coverage",
    "drift",
    "entropy",
    "fading",
    "footrule",
    "kendall",
    "margin",
    "missing_mass",
    "motion",
    "pads",
    "recent_hits",
    "recent_misses",
    "rank_biased",
    "remaining",
    "top_kendall",
    "top_overlap",
)
"""Each names a file of this folder and the function in it."""

OF_CATALOGUE = frozenset({"coverage", "missing_mass", "gain_over_catalogue"})
"""Those that compare the list with items outside it, and so need part of the catalogue on the device."""


Signal = Callable[["HeldSince"], "Tensor"]
"""HeldSince of N moments -> [N] values."""


def signal(name: str) -> Signal:
    """The function of a signal. Imports torch."""
    from importlib import import_module

    function: Signal = getattr(import_module(f"models.signals.{name}"), name)
    return function
