"""How long work takes: by the table, by tokens, with a spread, slower in a brown-out."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from scenarios.schema.cloud import Cloud
from scenarios.schema.queueing import ContinuousBatching
from scenarios.schema.service import ExponentialSpread, LognormalSpread
from simulator.clock import MILLISECOND
from simulator.draws import uniform
from simulator.request import Request

_normal = NormalDist().inv_cdf


class Work:
    """The service times of a cloud. history: items that a request's history holds."""

    def __init__(self, spec: Cloud, seed: int, history: Callable[[Request], int]) -> None:
        self._seed = seed
        self._history = history
        self._tokens = spec.tokens
        batching = spec.batching
        largest = batching.token_budget if isinstance(batching, ContinuousBatching) else batching.max_size
        sizes = sorted(spec.service.milliseconds)
        known = [spec.service.milliseconds[size] * MILLISECOND for size in sizes]
        self.table = [float(ticks) for ticks in np.interp(np.arange(largest + 1), sizes, known)]
        """Ticks by size of the batch, or by tokens of the iteration; [0] is never used."""
        spread = spec.service.spread
        self._sigma = spread.sigma if isinstance(spread, LognormalSpread) else 0.0
        self._exponential = isinstance(spread, ExponentialSpread)
        self._batches = [0] * spec.most_replicas
        self.slow: dict[int, float] = {}
        """Replicas in a brown-out, and how many times as long they take."""
        self.varies = bool(self._sigma or self._exponential or spec.tokens.output_sigma or spec.brownouts)
        """Whether batches of a size differ."""

    def factor(self, replica: int, batch: list[Request]) -> float:
        """What to multiply the table's time with, for the batch that a replica begins now."""
        factor = 1.0
        if self._sigma or self._exponential:
            drawn = uniform(self._seed, "service", replica, self._batches[replica])
            self._batches[replica] += 1
            if self._exponential:
                factor = -math.log(drawn)
            else:
                factor = math.exp(self._sigma * (_normal(drawn) - self._sigma / 2))
        if self._tokens.output_sigma:
            factor *= max(map(self.output, batch)) / self._tokens.output
        if self.slow:
            factor *= self.slow.get(replica, 1.0)
        return factor

    def iteration(self, replica: int, tokens: int) -> int:
        """Ticks of one iteration that a replica begins now."""
        return round(self.table[tokens] * self.slow.get(replica, 1.0))

    def prompt(self, request: Request) -> int:
        """Tokens that a request brings."""
        tokens = self._tokens
        return min(tokens.prompt + tokens.prompt_per_item * self._history(request), tokens.longest_prompt)

    def output(self, request: Request) -> int:
        """Tokens of a request's answer; the same whenever it is asked for."""
        mean, sigma = self._tokens.output, self._tokens.output_sigma
        if not sigma:
            return mean
        normal = _normal(uniform(self._seed, "output tokens", request.device, request.step))
        return max(round(mean * math.exp(sigma * (normal - sigma / 2))), 1)
