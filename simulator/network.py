"""The mobile network: how long a message travels, and whether it arrives.

A request and its answer share one lognormal draw of the round trip, half of it each way, so that the round trip has
exactly the distribution that the scenario states. To that comes size over bandwidth, each way. Every draw belongs to
(device, step of the request): what a device would meet at a step does not depend on what was asked before.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from scenarios.schema.network import Network as NetworkSpec
from simulator.clock import MILLISECOND, SECOND
from simulator.draws import uniform

_normal = NormalDist().inv_cdf


class Network:
    """One access class, as every device meets it."""

    def __init__(self, spec: NetworkSpec, seed: int) -> None:
        self._seed = seed
        self._half = spec.rtt_ms / 2 * MILLISECOND
        self._sigma = spec.rtt_sigma if spec.rtt_ms else 0.0
        self._loss = spec.loss
        self._uplink = _ticks_per_byte(spec.uplink_mbps)
        self._downlink = _ticks_per_byte(spec.downlink_mbps)

    def one_way(self, device: int, step: int) -> int:
        """Ticks that a message without length travels, either way."""
        if not self._sigma:
            return round(self._half)
        return round(self._half * math.exp(self._sigma * _normal(uniform(self._seed, "rtt", device, step))))

    def uplink(self, size: int) -> int:
        """Ticks to send so many bytes up."""
        return round(size * self._uplink)

    def downlink(self, size: int) -> int:
        """Ticks to send so many bytes down."""
        return round(size * self._downlink)

    def loses_request(self, device: int, step: int) -> bool:
        """Whether the message up never arrives."""
        return self._loss > 0 and uniform(self._seed, "uplink loss", device, step) < self._loss

    def loses_answer(self, device: int, step: int) -> bool:
        """Whether the message down never arrives."""
        return self._loss > 0 and uniform(self._seed, "downlink loss", device, step) < self._loss


def _ticks_per_byte(mbps: float | None) -> float:
    return 0.0 if mbps is None else 8 * SECOND / (mbps * 1e6)
