"""How long a round trip without payload takes: drawn from a lognormal or a measured distribution, or replayed."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from scenarios.schema.access import Access, Quantiles, Trace
from scenarios.trace import read
from simulator.clock import MILLISECOND, SECOND
from simulator.draws import draws_of, uniform, uniforms
from simulator.outcomes import IntArray

_normal = NormalDist().inv_cdf

One = Callable[[int, int, int], int]
"""(device, index of the request's draws, time of sending in ticks) -> ticks that half of the round trip takes."""
Many = Callable[[IntArray, IntArray, IntArray], list[int]]
"""The same of many, to the tick."""


class OneWay(NamedTuple):
    """How long half of a round trip takes."""

    one: One
    many: Many


def one_way(spec: Access, seed: int, devices: int) -> OneWay:
    """The sampler of an access class for its devices. Raises `ScenarioError` for a recording that cannot be read."""
    match spec.round_trip:
        case Quantiles():
            return _drawn(_quantiles(spec.round_trip), seed, devices)
        case Trace():
            return _replay(spec.round_trip, seed)
    half = spec.rtt_ms / 2 * MILLISECOND
    if not half or not spec.rtt_sigma:
        return _always(round(half))
    return _drawn(_lognormal(half, spec.rtt_sigma), seed, devices)


def _always(ticks: int) -> OneWay:
    return OneWay(lambda device, index, now: ticks, lambda devices, indices, times: [ticks] * len(devices))


def _drawn(ticks: Callable[[float], int], seed: int, devices: int) -> OneWay:
    """ticks: of a number between 0 and 1."""
    draw = draws_of(seed, "rtt", devices)

    def one(device: int, index: int, now: int) -> int:
        return ticks(draw(device, index))

    def many(devices: IntArray, indices: IntArray, times: IntArray) -> list[int]:
        # Numpy's exponentials need not be those of the standard library to the last bit, but the draws are the same.
        return list(map(ticks, uniforms(seed, "rtt", devices, indices).tolist()))

    return OneWay(one, many)


def _lognormal(half: float, sigma: float) -> Callable[[float], int]:
    exp = math.exp
    return lambda drawn: round(half * exp(sigma * _normal(drawn)))


def _quantiles(spec: Quantiles) -> Callable[[float], int]:
    shares = sorted(spec.milliseconds)
    halves = [spec.milliseconds[share] / 2 * MILLISECOND for share in shares]
    return lambda drawn: round(float(np.interp(drawn, shares, halves)))


def _replay(spec: Trace, seed: int) -> OneWay:
    starts, halves = _recording(spec.path)
    period = starts[-1] + (starts[-1] - starts[-2])

    def one(device: int, index: int, now: int) -> int:
        place = now + int(uniform(seed, "trace", device, 0) * period)
        return halves[bisect_right(starts, place % period) - 1]

    def many(devices: IntArray, indices: IntArray, times: IntArray) -> list[int]:
        return list(map(one, devices.tolist(), indices.tolist(), times.tolist()))

    return OneWay(one, many)


@lru_cache(maxsize=8)
def _recording(path: Path) -> tuple[list[int], list[int]]:
    """Ticks at which each row of a recording begins, the first at 0, and half its round trip."""
    time, rtt = read(path)
    starts = np.rint((time - time[0]) * SECOND).astype(np.int64)
    return starts.tolist(), np.rint(rtt / 2 * MILLISECOND).astype(np.int64).tolist()
