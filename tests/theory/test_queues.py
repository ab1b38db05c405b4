"""The cloud that scenarios run on waits, and loses, as queueing theory says.

Many devices that ask once, at a moment of their own in a long stretch, are a Poisson stream of requests.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from worlds import outcomes, policy, world

from simulator.rehearse import rehearse
from simulator.run import run

WORK_S = 0.1


def poisson_log(
    load: float, devices: int, sigma: float = 0.0, replicas: int = 1, limit: int | None = None
) -> pd.DataFrame:
    """The request log of a Poisson stream at `load` (of all replicas together) on batches of one."""
    w = world(
        [1],
        pace={"kind": "drawn", "start_spread_s": devices * WORK_S / (load * replicas)},
        fleet={"devices": devices, "timeout_s": 1e6},
        network={"rtt_ms": 0, "uplink_mbps": None, "downlink_mbps": None},
        cloud={
            "replicas": replicas,
            "queue_limit": limit,
            "batching": {"max_size": 1, "max_wait_ms": 0},
            "service": {"milliseconds": {1: 1000 * WORK_S}, "spread": {"kind": "lognormal", "sigma": sigma}},
        },
    )
    p = policy("always")
    return run(w, p, 11, rehearse(w, [p], 11, outcomes(w))).requests


@pytest.mark.parametrize("sigma", [0.0, 0.8])
def test_waiting_follows_pollaczek_and_khinchine(sigma: float) -> None:
    """Mean wait in M/G/1: load * work * (1 + squared variation) / (2 * (1 - load)); M/D/1 at sigma 0."""
    load = 0.7
    log = poisson_log(load, 100_000, sigma)
    wait = (log["started_s"] - log["arrived_s"]).mean()
    expected = load * WORK_S * math.exp(sigma**2) / (2 * (1 - load))
    assert wait == pytest.approx(expected, rel=0.04)
    assert (log["gpu_s"]).mean() == pytest.approx(WORK_S, rel=0.01)


def test_loss_follows_erlang_b_whatever_the_spread_of_service() -> None:
    servers, load = 3, 0.7
    offered = servers * load
    terms = [offered**k / math.factorial(k) for k in range(servers + 1)]
    for sigma in (0.0, 0.8):
        log = poisson_log(load, 60_000, sigma, servers, limit=0)
        assert (log["status"] == "rejected").mean() == pytest.approx(terms[-1] / sum(terms), rel=0.04)


def test_littles_law() -> None:
    """Mean number waiting = rate of arrivals * mean wait, the number taken off the time line independently."""
    log = poisson_log(0.7, 30_000, 0.8)
    end = log["started_s"].max()
    moments = np.linspace(0, end, 200_001)
    waiting = np.searchsorted(np.sort(log["arrived_s"]), moments) - np.searchsorted(np.sort(log["started_s"]), moments)
    assert waiting.mean() == pytest.approx(len(log) / end * (log["started_s"] - log["arrived_s"]).mean(), rel=0.01)
