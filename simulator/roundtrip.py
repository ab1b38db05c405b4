"""How long a round trip without payload takes: drawn from a lognormal or a measured distribution, or replayed."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist

import numpy as np

from scenarios.schema.access import Access, Quantiles, Trace
from scenarios.trace import read
from simulator.clock import MILLISECOND, SECOND
from simulator.draws import draws_of, uniform

_normal = NormalDist().inv_cdf

OneWay = Callable[[int, int, int], int]
"""(device, index of the request's draws, time of sending in ticks) -> ticks that half of the round trip takes."""


def one_way(spec: Access, seed: int, devices: int) -> OneWay:
    """The sampler of an access class for its devices. Raises `ScenarioError` for a recording that cannot be read."""
    match spec.round_trip:
        case Quantiles():
            return _quantiles(spec.round_trip, seed, devices)
        case Trace():
            return _replay(spec.round_trip, seed)
    half = spec.rtt_ms / 2 * MILLISECOND
    if not half or not spec.rtt_sigma:
        return _always(round(half))
    return _lognormal(half, spec.rtt_sigma, seed, devices)


def _always(ticks: int) -> OneWay:
    def sample(device: int, index: int, now: int) -> int:
        return ticks

    return sample


def _lognormal(half: float, sigma: float, seed: int, devices: int) -> OneWay:
    draw, exp = draws_of(seed, "rtt", devices), math.exp

    def sample(device: int, index: int, now: int) -> int:
        return round(half * exp(sigma * _normal(draw(device, index))))

    return sample


def _quantiles(spec: Quantiles, seed: int, devices: int) -> OneWay:
    draw = draws_of(seed, "rtt", devices)
    shares = sorted(spec.milliseconds)
    halves = [spec.milliseconds[share] / 2 * MILLISECOND for share in shares]

    def sample(device: int, index: int, now: int) -> int:
        return round(float(np.interp(draw(device, index), shares, halves)))

    return sample


def _replay(spec: Trace, seed: int) -> OneWay:
    starts, halves = _recording(spec.path)
    period = starts[-1] + (starts[-1] - starts[-2])

    def sample(device: int, index: int, now: int) -> int:
        place = now + int(uniform(seed, "trace", device, 0) * period)
        return halves[bisect_right(starts, place % period) - 1]

    return sample


@lru_cache(maxsize=8)
def _recording(path: Path) -> tuple[list[int], list[int]]:
    """Ticks at which each row of a recording begins, the first at 0, and half its round trip."""
    time, rtt = read(path)
    starts = np.rint((time - time[0]) * SECOND).astype(np.int64)
    return starts.tolist(), np.rint(rtt / 2 * MILLISECOND).astype(np.int64).tolist()
