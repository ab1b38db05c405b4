"""Work for others to do: in a module of its own, which other processes can import."""

from __future__ import annotations

import os
import signal

import numpy as np

from scenarios.errors import WriteError


def shares(shared: np.ndarray, piece: int) -> tuple[float, int]:
    """A number that needs all of what is shared."""
    return float(shared[piece:].sum()), os.getpid()


def fails_at_two(shared: object, piece: int) -> int:
    if piece == 2:
        raise ZeroDivisionError("two")
    return piece


def dies_at_two(shared: object, piece: int) -> int:
    if piece == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return piece


def meets_a_full_disk(shared: object, piece: int) -> int:
    raise WriteError("here: cannot be written (No space left on device)")
