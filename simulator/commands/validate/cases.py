"""The cases: a queue that theory solves, the scenario keys that make it, and what is compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scipy import optimize

from analysis import queueing
from analysis.queueing import Steady
from simulator.commands.validate.measure import Load

Sums = tuple[str, str]
"""What is divided by what, of the sums of a batch."""

WAIT: Sums = ("waited", "entered")
WAIT_OF_ALL: Sums = ("waited", "expected")
"""Where nobody is turned away: of the number expected nothing is left to chance."""
STAY_OF_ALL: Sums = ("stayed", "expected")
PRESENT: Sums = ("present", "span")
LOSS: Sums = ("lost", "came")

SPREAD = 0.6
"""Standard deviation of the logarithm of a general service time."""
PIECES = 2000
"""Tokens in a service that is shared: so many rounds of the processor."""
SLOTS = 512


@dataclass(frozen=True)
class Case:
    """One queue at any utilisation. Services take a second on the average.

    cloud: scenario keys. compared: name of a quantity of `Steady` -> what it is in the sums of a batch. rate: requests
    a second that are offered at a utilisation of 1; utilisation is the offered load of the places for work, but for a
    finite fleet. theory: of that rate. load: what the control variates weigh by. servers: requests, or batches, in work
    at once. patience_s: mean of those who wait. sources: devices of a finite fleet, of which theory is told the rate at
    which each asks. requests: to simulate, for a standard error of about half a percent up to utilisation 0.9.
    """

    name: str
    cloud: dict[str, Any]
    compared: dict[str, Sums]
    rate: float
    theory: Callable[[float], Steady]
    load: Load = "work"
    servers: int = 1
    patience_s: float | None = None
    sources: int | None = None
    requests: tuple[int, int, int, int] = (100_000, 100_000, 100_000, 100_000)

    @property
    def law(self) -> str:
        """What draws the service times."""
        spread = self.cloud["service"].get("spread")
        return "tokens" if spread is None else str(spread["kind"]).replace("none", "constant")

    def asking(self, utilisation: float) -> float:
        """The argument of `theory` for a utilisation."""
        if self.sources is None:
            return self.rate * utilisation

        def gap(rate: float) -> float:
            return self.theory(rate).utilisation - utilisation

        return float(optimize.brentq(gap, 1e-6, 1e3, xtol=1e-12))


EXPONENTIAL = {"kind": "exponential"}
CONSTANT = {"kind": "none"}
LOGNORMAL = {"kind": "lognormal", "sigma": SPREAD}


def _one_by_one(spread: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """Every replica serves one request at a time, for a second on the average."""
    return {
        "batching": {"max_size": 1, "max_wait_ms": 0},
        "service": {"milliseconds": {1: 1000}, "spread": spread},
        **keys,
    }


def _bulk(largest: int, spread: dict[str, Any]) -> dict[str, Any]:
    return {
        "batching": {"max_size": largest, "max_wait_ms": 0},
        "service": {"milliseconds": {1: 1000, largest: 1000}, "spread": spread},
    }


def _shared() -> dict[str, Any]:
    """Each iteration writes a token for every request, and takes as long as there are requests: rounds of a server."""
    return {
        "batching": {"kind": "continuous", "slots": SLOTS, "token_budget": SLOTS},
        "service": {"milliseconds": {1: 1000 / PIECES, SLOTS: SLOTS * 1000 / PIECES}},
        "tokens": {"prompt": 0, "prompt_per_item": 0, "output": PIECES, "output_sigma": SPREAD},
    }


WHOLE = {"mean_wait": WAIT_OF_ALL, "mean_present": PRESENT}
PARTIAL = {"mean_wait": WAIT, "mean_present": PRESENT, "loss": LOSS}
PATIENCE_S = 1.0

CASES = (
    Case("M/M/1", _one_by_one(EXPONENTIAL), WHOLE, 1, lambda rate: queueing.mm1(rate, 1)),
    Case(
        "M/M/2",
        _one_by_one(EXPONENTIAL, replicas=2),
        WHOLE,
        2,
        lambda rate: queueing.mmc(rate, 1, 2),
        servers=2,
        requests=(350_000, 100_000, 100_000, 100_000),
    ),
    Case("M/D/1", _one_by_one(CONSTANT), WHOLE, 1, lambda rate: queueing.md1(rate, 1)),
    Case("M/G/1", _one_by_one(LOGNORMAL), WHOLE, 1, lambda rate: queueing.mg1_lognormal(rate, 1, SPREAD)),
    Case(
        "M/M/2/3",
        _one_by_one(EXPONENTIAL, replicas=2, queue_limit=1),
        PARTIAL,
        2,
        lambda rate: queueing.mmck(rate, 1, 2, 3),
        load="present",
        servers=2,
        requests=(600_000, 100_000, 100_000, 100_000),
    ),
    Case(
        "M/G/2/2 (Erlang B)",
        _one_by_one(LOGNORMAL, replicas=2, queue_limit=0),
        {"mean_present": PRESENT, "loss": LOSS},
        2,
        lambda rate: queueing.mmck(rate, 1, 2, 2),
        load="present",
        servers=2,
    ),
    Case(
        "M/M/2+M (Erlang A)",
        _one_by_one(EXPONENTIAL, replicas=2, drops_given_up=True),
        PARTIAL,
        2,
        lambda rate: queueing.erlang_a(rate, 1, 2, 1 / PATIENCE_S),
        load="present",
        servers=2,
        patience_s=PATIENCE_S,
        requests=(500_000, 150_000, 150_000, 100_000),
    ),
    Case(
        "M/G/1-PS",
        _shared(),
        {"mean_sojourn": STAY_OF_ALL, "mean_present": PRESENT},
        1,
        lambda rate: queueing.mg1_processor_sharing(rate, 1),
    ),
    Case(
        "M/M[1,2]/1 (bulk)",
        _bulk(2, EXPONENTIAL),
        WHOLE,
        2,
        lambda rate: queueing.bulk_exponential(rate, 1, 2),
        load="waiting",
        requests=(150_000, 300_000, 400_000, 200_000),
    ),
    Case(
        "M/D[1,4]/1 (bulk)",
        _bulk(4, CONSTANT),
        WHOLE,
        4,
        lambda rate: queueing.bulk_constant(rate, 1, 4),
        load="waiting",
        requests=(100_000, 100_000, 250_000, 100_000),
    ),
    Case(
        "M/M/1//8 (repairman)",
        _one_by_one(EXPONENTIAL),
        {"mean_wait": WAIT, "mean_present": PRESENT, "throughput": ("entered", "span")},
        1,
        lambda rate: queueing.machine_repairman(8, rate, 1, 1),
        load="present",
        sources=8,
        requests=(350_000, 150_000, 100_000, 100_000),
    ),
)
