"""Random numbers as a pure function of (seed, purpose, device, index).

No stream has a position that somebody could shift: what device d meets at its t-th interaction is the same whatever a
policy did before (common random numbers). The function is SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), whose state
is a counter, so that any element of a stream can be had at once; each (seed, purpose, device) starts the counter at a
place of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = 0xFFFFFFFFFFFFFFFF


def _mix(x: int) -> int:
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def _mix_array(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The same on an array, in place; whole numbers wrap around as the function wants it."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


@lru_cache(maxsize=256)
def _origin(seed: int, purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8], "little")


def _starts(seed: int, purpose: str, device: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    return _mix_array((device + 1).view(np.uint64) * np.uint64(_GOLDEN) + np.uint64(_origin(seed, purpose)))


def uniform(seed: int, purpose: str, device: int, index: int) -> float:
    """One number in the open interval (0, 1)."""
    start = _mix((_origin(seed, purpose) + (device + 1) * _GOLDEN) & _MASK)
    return ((_mix((start + (index + 1) * _GOLDEN) & _MASK) >> 12) + 0.5) * 2.0**-52


def draws_of(seed: int, purpose: str, devices: int) -> Callable[[int, int], float]:
    """`uniform` of one purpose for many draws of devices 0 .. devices - 1: where each device starts is found before."""
    starts = _starts(seed, purpose, np.arange(devices)).data

    def draw(device: int, index: int) -> float:
        x = (starts[device] + (index + 1) * _GOLDEN) & _MASK
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
        return (((x ^ (x >> 31)) >> 12) + 0.5) * 2.0**-52

    return draw


def uniforms(
    seed: int, purpose: str, device: int | npt.NDArray[np.int64], index: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The same numbers as `uniform`, for an array of indices, and one device or an array of as many."""
    if isinstance(device, int):
        start: np.uint64 | npt.NDArray[np.uint64] = np.uint64(
            _mix((_origin(seed, purpose) + (device + 1) * _GOLDEN) & _MASK)
        )
    else:
        start = _starts(seed, purpose, device)
    bits = _mix_array((index + 1).view(np.uint64) * np.uint64(_GOLDEN) + start)
    bits >>= np.uint64(12)
    numbers = bits.astype(np.float64)
    numbers += 0.5
    numbers *= 2.0**-52
    return numbers
