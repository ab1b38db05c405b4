"""The same customers through Ciw, an independent simulator of queueing networks, side by side.

Ciw (Palmer, Knight, Harper & Hawa, Journal of Simulation 13(1), 2019) is told when each customer comes, how much work
it brings and how long it is patient, so nothing is left to chance: every customer must leave when ours does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from simulator.commands.validate.cases import CASES, Case
from simulator.commands.validate.rows import UTILISATIONS, Row
from simulator.commands.validate.worlds import poisson, simulate
from simulator.outcomes import FloatArray

REQUESTS = 3000
ROUNDING_S = 1e-5
"""Ours counts nanoseconds, Ciw adds up floats."""
ROUNDS = 0.01
"""Relative error allowed where ours shares a server by rounds, and Ciw by a limit of ever shorter ones."""


def side_by_side(seed: int, requests: int = REQUESTS) -> list[Row]:
    """A row for each case that Ciw knows, at each utilisation, of so many expected requests. Needs Ciw."""
    known = [case for case in CASES if case.sources is None and "bulk" not in case.name]
    return [compare(case, utilisation, seed, requests) for case in known for utilisation in UTILISATIONS]


def compare(case: Case, utilisation: float, seed: int, requests: int) -> Row:
    """The mean stay of all who come, by Ciw (as theory) and by ours; it holds if all single stays agree."""
    log = simulate(poisson(case.cloud, case.asking(utilisation), requests, seed, case.patience_s), seed).requests
    log = log.sort_values("arrived_s", kind="stable")
    came = log["arrived_s"].to_numpy()
    ours = log["finished_s"].fillna(log["left_s"]).to_numpy() - came
    theirs = _ciw(case, log) - came
    shared = case.cloud["batching"].get("kind") == "continuous"
    mean, other = float(ours.mean()), float(theirs.mean())
    error = abs(mean / other - 1)
    agree = error <= ROUNDS if shared else bool(np.abs(ours - theirs).max() <= ROUNDING_S)
    slack = ROUNDS * mean if shared else ROUNDING_S
    return Row(
        f"{case.name} beside Ciw", utilisation, "mean_stay", other, mean, mean - slack, mean + slack, error, agree
    )


def _ciw(case: Case, log: pd.DataFrame) -> FloatArray:
    """[requests] when Ciw lets each go."""
    import ciw

    class Given(ciw.dists.Distribution):  # type: ignore[misc]
        """What is known of each customer, by the order of arrival."""

        def __init__(self, values: FloatArray) -> None:
            self.values = values

        def sample(self, t: float | None = None, ind: Any = None) -> float:
            """Of this customer."""
            return float(self.values[ind.id_number - 1])

    came, work = log["arrived_s"].to_numpy(), log["gpu_s"].to_numpy()
    gaps = np.append(np.diff(came, prepend=0.0), np.inf)
    patience = np.where(log["finished_s"].isna(), log["left_s"] - came, np.inf)
    limit = case.cloud.get("queue_limit")
    keys: dict[str, Any] = {
        "arrival_distributions": [ciw.dists.Sequential(gaps.tolist())],
        "service_distributions": [Given(np.nan_to_num(work))],
        "number_of_servers": [case.servers],
    }
    if limit is not None:
        keys["queue_capacities"] = [limit]
    if case.patience_s is not None:
        keys["reneging_time_distributions"] = [Given(patience)]
    shared = case.cloud["batching"].get("kind") == "continuous"
    if shared:
        keys["number_of_servers"] = [float("inf")]
        keys["ps_thresholds"] = [1]
    network = ciw.create_network(**keys)
    simulation = ciw.Simulation(network, node_class=ciw.PSNode if shared else None)
    simulation.simulate_until_max_time(float(log["finished_s"].max()) + 1)
    gone = np.full(len(log), np.nan)
    for record in simulation.get_all_records():
        gone[record.id_number - 1] = record.exit_date
    return gone
