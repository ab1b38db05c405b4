"""What bounds the engine from outside: time-outs of bare SimPy, and how other simulators do what both can express."""

from __future__ import annotations

import time
from collections.abc import Generator
from importlib.util import find_spec

import numpy as np
import simpy

from simulator.commands.validate.worlds import poisson, simulate

SERVERS, RATE = 2, 1.4
"""Of the queue that is given to all: exponential services of a second, 70% in use."""
CLOUD = {
    "replicas": SERVERS,
    "batching": {"max_size": 1, "max_wait_ms": 0},
    "service": {"milliseconds": {1: 1000}, "spread": {"kind": "exponential"}},
}


def timeouts_a_second(processes: int, timeouts: int) -> float:
    """Time-outs of bare SimPy: so many processes that do nothing else, so many time-outs together."""
    each = -(-timeouts // processes)
    delays = np.random.default_rng(0).exponential(size=(processes, each)).tolist()
    environment = simpy.Environment()

    def life(own: list[float]) -> Generator[simpy.Event, None, None]:
        for delay in own:
            yield environment.timeout(delay)

    for own in delays:
        environment.process(life(own))
    began = time.perf_counter()
    environment.run()
    return processes * each / (time.perf_counter() - began)


def customers_a_second(customers: int, seed: int) -> dict[str, float | None]:
    """The same queue through all: this engine with its books, a plain script of SimPy, and Ciw, None where absent."""
    world = poisson(CLOUD, RATE, customers, seed)
    began = time.perf_counter()
    served = sum(map(len, simulate(world, seed).asked))
    speeds: dict[str, float | None] = {"recfleet": served / (time.perf_counter() - began)}
    began = time.perf_counter()
    _simpy(customers, seed)
    speeds["simpy"] = customers / (time.perf_counter() - began)
    speeds["ciw"] = None
    if find_spec("ciw") is not None:
        began = time.perf_counter()
        _ciw(customers, seed)
        speeds["ciw"] = customers / (time.perf_counter() - began)
    return speeds


def _simpy(customers: int, seed: int) -> list[float]:
    """How long each waits."""
    draws = np.random.default_rng(seed)
    gaps, works = draws.exponential(1 / RATE, customers).tolist(), draws.exponential(1, customers).tolist()
    environment, waits = simpy.Environment(), list[float]()
    servers = simpy.Resource(environment, SERVERS)

    def customer(work: float) -> Generator[simpy.Event, None, None]:
        came = environment.now
        with servers.request() as turn:
            yield turn
            waits.append(environment.now - came)
            yield environment.timeout(work)

    def door() -> Generator[simpy.Event, None, None]:
        for gap, work in zip(gaps, works, strict=True):
            yield environment.timeout(gap)
            environment.process(customer(work))

    environment.process(door())
    environment.run()
    return waits


def _ciw(customers: int, seed: int) -> None:
    import ciw

    ciw.seed(seed)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(RATE)],
        service_distributions=[ciw.dists.Exponential(1.0)],
        number_of_servers=[SERVERS],
    )
    ciw.Simulation(network).simulate_until_max_customers(customers)
