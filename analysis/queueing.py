"""What queueing theory says of a service in its steady state: the yardstick of the simulator.

Rates are per second (or any unit, with times in the same). Kendall's notation: arrivals / service / servers / room;
M is exponential, D constant, G general. Sources:

- [GH] Gross, Shortle, Thompson & Harris, Fundamentals of Queueing Theory, 4th ed., Wiley 2008.
- [K1], [K2] Kleinrock, Queueing Systems, vols. 1 and 2, Wiley 1975 and 1976.
- [MZ] Mandelbaum & Zeltyn, Service engineering in action: the Palm/Erlang-A queue, 2007 (after Palm 1957; Garnett,
  Mandelbaum & Reiman, M&SOM 4(3), 2002).
- [BH] Baccelli & Hebuterne, On queues with impatient customers, Performance '81, 1981.
- [ZM] Zeltyn & Mandelbaum, Call centers with impatient customers, Queueing Systems 51, 2005.
- [CT] Chaudhry & Templeton, A First Course in Bulk Queues, Wiley 1983 (after Bailey, JRSS B 16, 1954).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from analysis.errors import UnstableError

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Steady:
    """A service in its steady state. Means over time, or over requests that enter (loss: over all that come).

    utilisation: busy share of the servers. throughput: requests served a second. mean_wait: seconds before service
    begins (or patience ends). mean_queue: requests that wait. mean_sojourn: wait and service. mean_present: requests
    that wait or are served. loss: share of the requests that are turned away or give up.
    """

    utilisation: float
    throughput: float
    mean_wait: float
    mean_queue: float
    mean_sojourn: float
    mean_present: float
    loss: float = 0.0


def little(rate: float, mean_time: float) -> float:
    """Little's law (Operations Research 9(3), 1961): mean number present, of a flow that stays `mean_time` each."""
    return rate * mean_time


def erlang_b(load: float, servers: int) -> float:
    """Share of requests that find all servers busy where none may wait (M/G/c/c); load = rate x mean service.

    By the recursion B(c) = load B(c-1) / (c + load B(c-1)) ([GH] 2.6).
    """
    _check(load=load)
    if servers < 0:
        raise ValueError(f"servers must be 0 or more, got {servers}")
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def erlang_c(load: float, servers: int) -> float:
    """Share of requests that must wait in M/M/c ([GH] 2.3), by Erlang B: c B / (c - load (1 - B))."""
    _stable(load / servers)
    blocked = erlang_b(load, servers)
    return servers * blocked / (servers - load * (1 - blocked))


def mm1(arrivals: float, service: float) -> Steady:
    """M/M/1 ([GH] 2.2): arrivals and services a second."""
    return mmc(arrivals, service, servers=1)


def mmc(arrivals: float, service: float, servers: int) -> Steady:
    """M/M/c ([GH] 2.3): arrivals a second, services a second of each server."""
    _check(arrivals=arrivals, service=service)
    load = arrivals / service
    wait = erlang_c(load, servers) / (servers * service - arrivals)
    return _open(arrivals, wait, 1 / service, load / servers)


def mmck(arrivals: float, service: float, servers: int, room: int) -> Steady:
    """M/M/c/K ([GH] 2.5): `room` counts those in service too; who finds it full is lost. Stable at any load.

    room = servers is Erlang's loss system.
    """
    _check(arrivals=arrivals, service=service)
    if room < servers:
        raise ValueError(f"room ({room}) must hold the {servers} in service")
    present = np.arange(room + 1)
    probability = _birth_death(np.full(room, arrivals), service * np.minimum(present[1:], servers))
    return _finite(probability, arrivals * (1 - probability[-1]), servers, service, loss=float(probability[-1]))


def mg1(arrivals: float, mean_service: float, squared_variation: float) -> Steady:
    """M/G/1, first come first served: Pollaczek-Khinchine ([GH] 5.1; [K1] ch. 5).

    squared_variation: variance of the service time over its squared mean (0 for D, 1 for M).
    """
    _check(arrivals=arrivals, mean_service=mean_service, squared_variation=1 + squared_variation)
    load = arrivals * mean_service
    _stable(load)
    wait = load * mean_service * (1 + squared_variation) / (2 * (1 - load))
    return _open(arrivals, wait, mean_service, load)


def md1(arrivals: float, service_time: float) -> Steady:
    """M/D/1 ([GH] 5.1): a constant service time."""
    return mg1(arrivals, service_time, squared_variation=0.0)


def mg1_lognormal(arrivals: float, mean_service: float, sigma: float) -> Steady:
    """M/G/1 with lognormal service of this mean; sigma: standard deviation of its logarithm."""
    return mg1(arrivals, mean_service, squared_variation=math.expm1(sigma**2))


def mg1_processor_sharing(arrivals: float, mean_service: float) -> Steady:
    """M/G/1 with the server shared evenly by all present: insensitive to the law of service ([K2] ch. 4).

    Everybody is in service at once; mean_wait is what sharing adds to the service alone.
    """
    _check(arrivals=arrivals, mean_service=mean_service)
    load = arrivals * mean_service
    _stable(load)
    return _open(arrivals, mean_service * load / (1 - load), mean_service, load)


def erlang_a(arrivals: float, service: float, servers: int, impatience: float) -> Steady:
    """M/M/c+M: who waits gives up at rate `impatience` ([MZ]; [GH] 2.10). Stable at any load.

    loss is the share that gives up. mean_wait is over all requests, those that give up included; mean_sojourn too.
    """
    _check(arrivals=arrivals, service=service, impatience=impatience)
    blocked = erlang_b(arrivals / service, servers)
    load = arrivals / (servers * service)
    inverse = 1 / _palm(servers * service / impatience, arrivals / impatience)
    waits = blocked / (blocked + (1 - blocked) * inverse)
    loss = waits * (load - 1 + inverse) / load
    wait = loss / impatience
    served = arrivals * (1 - loss)
    queue, busy = little(arrivals, wait), served / service
    return Steady(busy / servers, served, wait, queue, (queue + busy) / arrivals, queue + busy, loss)


def mmc_timeouts(arrivals: float, service: float, servers: int, timeout: float) -> float:
    """Share of requests not done within `timeout`, where a server takes nobody who has waited so long (M/M/c+D).

    Who waits leaves at the time-out; who is in service then is served to the end, but too late. The time V that a
    request would wait has density arrivals p(c-1) exp((arrivals - c service) v) up to the time-out, and falls like
    exp(-c service v) behind it ([BH]; [ZM] 2005, sec. 4).
    """
    _check(arrivals=arrivals, service=service, timeout=timeout)
    load, drain = arrivals / service, servers * service
    terms = np.exp([j * math.log(load) - special.gammaln(j + 1) for j in range(servers)])
    grow = arrivals - drain

    def within(rate: float) -> float:
        """Integral of exp(rate v) over 0 .. timeout."""
        return timeout if rate == 0 else math.expm1(rate * timeout) / rate

    first = arrivals * float(terms[-1])  # the density at 0, if nobody there had weight 1
    beyond = first * math.exp(grow * timeout) / drain
    whole = float(terms.sum()) + first * within(grow) + beyond
    late_service = math.exp(-service * timeout)
    late = float(terms.sum()) * late_service + first * late_service * within(grow + service)
    return (beyond + late) / whole


def bulk_exponential(arrivals: float, service: float, largest: int) -> Steady:
    """M/M^[1,b]/1: a free server takes all who wait, at most `largest`, for one exponential time of any batch size.

    Who comes during a service waits for the next ([CT]; [GH] 3.2). With the server busy the queue is geometric in the
    root r in (0, 1) of service r^(b+1) - (arrivals + service) r + arrivals = 0.
    """
    _check(arrivals=arrivals, service=service)
    _stable(arrivals / (largest * service))
    ratio = arrivals / service
    powers = np.arange(1, largest + 1)
    # The equation without its root at 1: r + r^2 + ... + r^b = arrivals / service.
    root = float(optimize.brentq(lambda r: float((r**powers).sum()) - ratio, 0.0, 1.0, xtol=1e-15))
    empty_queue = 1 / (1 / ratio + 1 / (1 - root))  # server busy, nobody waits
    queue = empty_queue * root / (1 - root) ** 2
    busy = empty_queue / (1 - root)
    return _batches(arrivals, queue, 1 / service, busy)


def bulk_constant(arrivals: float, service_time: float, largest: int) -> Steady:
    """M/D^[1,b]/1: a free server takes all who wait, at most `largest`, for one constant time of any batch size.

    Those left behind when a batch begins follow X' = max(0, X + Poisson - b) ([CT], Bailey 1954), whose mean and
    chance of 0 come from Spitzer's identity (Trans. AMS 82, 1956); the rest is renewal reward over one service and the
    idle time before it.
    """
    _check(arrivals=arrivals, service_time=service_time)
    per_service = arrivals * service_time
    _stable(per_service / largest)
    left, log_none, done, span = 0.0, 0.0, 0, 256
    excess = np.array([np.inf])
    while excess[-1] > 1e-14 * left:
        services = np.arange(done + 1, done + span + 1)
        crowd, places = services * per_service, services * largest
        more = stats.poisson.sf(places, crowd)  # P(more came in so many services than they can take)
        excess = crowd * stats.poisson.sf(places - 1, crowd) - places * more
        left += float((excess / services).sum())
        log_none -= float((more / services).sum())
        done, span = done + span, 2 * span
    idle = math.exp(log_none - per_service) / arrivals  # nobody left behind, and nobody came during the service
    cycle = service_time + idle
    queue = (left * service_time + arrivals * service_time**2 / 2) / cycle
    return _batches(arrivals, queue, service_time, service_time / cycle)


def machine_repairman(sources: int, request_rate: float, service: float, servers: int) -> Steady:
    """M/M/c//N: `sources` devices, each asks at `request_rate` while it has no request under way ([GH] 2.8)."""
    _check(request_rate=request_rate, service=service)
    if sources < 1:
        raise ValueError(f"sources must be 1 or more, got {sources}")
    present = np.arange(sources + 1)
    births = request_rate * (sources - present[:-1]).astype(np.float64)
    probability = _birth_death(births, service * np.minimum(present[1:], servers))
    return _finite(probability, float((probability[:-1] * births).sum()), servers, service)


def _palm(x: float, y: float) -> float:
    """A(x, y) = 1 + sum over j of y^j / ((x + 1) ... (x + j)) = x e^y / y^x gamma(x, y) ([MZ])."""
    if y < x:  # terms shrink at least by y / x each
        total, term, j = 1.0, 1.0, 0
        while term > 1e-17 * total:
            j += 1
            term *= y / (x + j)
            total += term
        return total
    logarithm = math.log(x) + y - x * math.log(y) + special.gammaln(x) + math.log(special.gammainc(x, y))
    return math.exp(logarithm) if logarithm < 700 else math.inf


def _birth_death(births: FloatArray, deaths: FloatArray) -> FloatArray:
    """Stationary law of a birth-death chain ([K1] ch. 3), in logarithms, so that long chains do not overflow."""
    logarithms = np.concatenate([[0.0], np.cumsum(np.log(births) - np.log(deaths))])
    return np.asarray(special.softmax(logarithms), np.float64)


def _open(arrivals: float, wait: float, mean_service: float, utilisation: float) -> Steady:
    sojourn = wait + mean_service
    return Steady(utilisation, arrivals, wait, little(arrivals, wait), sojourn, little(arrivals, sojourn))


def _batches(arrivals: float, queue: float, mean_service: float, busy: float) -> Steady:
    wait = queue / arrivals
    sojourn = wait + mean_service
    return Steady(busy, arrivals, wait, queue, sojourn, little(arrivals, sojourn))


def _finite(probability: FloatArray, throughput: float, servers: int, service: float, loss: float = 0.0) -> Steady:
    present = np.arange(len(probability))
    queue = float((probability * np.maximum(present - servers, 0)).sum())
    inside = float((probability * present).sum())
    busy = throughput / (servers * service)
    return Steady(busy, throughput, queue / throughput, queue, inside / throughput, inside, loss)


def _stable(load: float) -> None:
    if load >= 1:
        raise UnstableError(f"no steady state: the load is {load:.4g} of the capacity, and it must stay below 1")


def _check(**positive: float) -> None:
    for name, value in positive.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a positive number, got {value}")
