"""Request logs and device tables whose truth is known, made without the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

FloatArray = npt.NDArray[np.float64]


def make_request_log(
    arrived: FloatArray, started: FloatArray, service: FloatArray, status: Any = "answered"
) -> pd.DataFrame:
    """A log in which every request is a batch of one and the network takes no time."""
    n = len(arrived)
    finished = started + service
    return pd.DataFrame(
        {
            "device": np.arange(n),
            "user": np.arange(n),
            "step": 0,
            "attempt": 1,
            "intended_s": arrived,
            "sent_s": arrived,
            "arrived_s": arrived,
            "started_s": started,
            "finished_s": finished,
            "answered_s": finished,
            "applied_step": 0,
            "status": status,
            "batch_size": 1,
            "replica": 0,
            "gpu_s": np.where(np.isnan(started), 0.0, service),
            "uplink_bytes": 100,
            "downlink_bytes": 200,
        }
    )


def make_single_server(load: float, n: int, rng: np.random.Generator, queue_limit: float = np.inf) -> pd.DataFrame:
    """M/M/1 with mean service 1 s, from empty: Lindley's recursion, with rejection where `queue_limit` wait."""
    arrived = np.cumsum(rng.exponential(1 / load, n))
    service = rng.exponential(1.0, n)
    started, status = np.full(n, np.nan), np.full(n, "rejected", dtype=object)
    starts: list[float] = []
    free, gone = 0.0, 0
    for i in range(n):
        while gone < len(starts) and starts[gone] <= arrived[i]:
            gone += 1
        if len(starts) - gone < queue_limit:
            started[i] = max(arrived[i], free)
            free = started[i] + service[i]
            starts.append(started[i])
            status[i] = "answered"
    return make_request_log(arrived, started, service, status)


def make_fleet(users: int, clones: int, rng: np.random.Generator, asked: int = 0) -> pd.DataFrame:
    """A device table with made-up accuracy; `asked` requests are spread over the devices."""
    devices = users * clones
    interactions = rng.integers(5, 40, devices)
    hits = rng.binomial(interactions, 0.2)
    held = np.minimum(interactions, 5)
    return pd.DataFrame(
        {
            "device": np.arange(devices),
            "user": np.arange(devices) % users,
            "interactions": interactions,
            "requests": np.bincount(np.arange(asked) % devices, minlength=devices),
            "hits_at_10": hits,
            "ndcg_at_10": hits * 0.6,
            "reciprocal_rank": hits * 0.5,
            "staleness": held * 2,
            "held": held,
            "waited_s": 0.0,
            "uplink_bytes": interactions * 10,
            "downlink_bytes": interactions * 30,
        }
    )


def make_cell(
    policy: str = "random", parameter: float | None = 0.1, replication: int = 0, **more: Any
) -> dict[str, Any]:
    """A `cell.json` for the tables above."""
    return {
        "policy": policy,
        "parameter": parameter,
        "replication": replication,
        "seed": 7 + replication,
        "duration_s": 1000.0,
        "replicas": 2,
        "busy_s": 400.0,
        "usd": 0.5,
        "ledger": {},
        **more,
    }


@pytest.fixture(scope="session")
def request_log() -> Callable[..., pd.DataFrame]:
    return make_request_log


@pytest.fixture(scope="session")
def single_server() -> Callable[..., pd.DataFrame]:
    return make_single_server


@pytest.fixture(scope="session")
def fleet() -> Callable[..., pd.DataFrame]:
    return make_fleet


@pytest.fixture(scope="session")
def cell() -> Callable[..., dict[str, Any]]:
    return make_cell
