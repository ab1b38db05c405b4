"""Everything the bench measures, on one scenario, in one run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from models.live import Live
from models.speed import speeds
from scenarios.errors import ScenarioError
from scenarios.schema.pushes import Pushes
from simulator.commands.bench import engine, growth, limits
from simulator.policies import AnyScenario
from simulator.preparation import prepare_experiment

ASKING = 0.1
"""Share of the interactions that are to ask."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured. live: interactions timed. timeouts, customers: of SimPy and of the queue. seconds: for each
    speed of a model. devices: fleets. points: sweeps."""

    repetitions: int = 3
    live: int = 3000
    timeouts: int = 1_000_000
    customers: int = 20_000
    seconds: float = 5.0
    devices: tuple[int, ...] = (1000, 10_000, 100_000, 1_000_000)
    points: tuple[int, ...] = (1, 10, 50)


QUICK = Sizes(1, 60, 20_000, 500, 0.02, (10, 20), (1, 2))


def measure(scenario: AnyScenario, sizes: Sizes, say: Callable[[str], None]) -> dict[str, Any]:
    """Ratios first, then speeds, then what bounds them; lists for what grows. Medians of the repetitions.

    Raises `ScenarioError`, before anything is fetched or trained, where the scenario is none that can be measured.
    """
    if scenario.recommenders.llm is None:
        raise ScenarioError("recommenders.llm: null; expected a model, as a benchmark is of a cloud that makes lists")
    if isinstance(scenario.fleet.pushes, Pushes):
        raise ScenarioError(
            "fleet.pushes: scheduled; expected none, as a benchmark is of one version of the device's model"
        )
    say("opening data and models")
    experiment = prepare_experiment(scenario, say, True)
    say(f"looking for the threshold at which {ASKING:.0%} of interactions ask")
    point, quantile = engine.asking(experiment, ASKING)
    lives, colds, warms, simples, works, outcome_bytes = [], [], [], [], [], []
    processes = experiment.world.devices
    live, sampled = engine.live(experiment, point, 1)
    for repetition in range(sizes.repetitions):
        say(f"repetition {repetition + 1} of {sizes.repetitions}: live, cold, warm, SimPy")
        live, sampled = engine.live(experiment, point, sizes.live)
        lives.append(live.rate)
        with engine.empty_store(experiment) as fresh:
            colds.append(engine.fast(fresh, [point]))
            warm = engine.again(fresh)
            warms.append(engine.fast(warm, [point]))
            set_moments, seconds = engine.events(warm, point)
            outcome_bytes.append(engine.bytes_an_outcome(fresh))
        works.append(seconds)
        simples.append(limits.timeouts_a_second(processes, sizes.timeouts))
    rate, cold, warm_rate = median(lives), median(c.rate for c in colds), median(w.rate for w in warms)
    simpy, engine_s = median(simples), median(works)
    say("the models alone")
    live_models, (srm, llm, _) = experiment.recommenders.live(), experiment.recommenders.models_of_batches
    assert isinstance(live_models, Live)  # anything else was refused above
    assert llm is not None
    model = speeds(live_models, (srm, llm), sizes.seconds)
    say("a queue, through other simulators")
    peers = [limits.customers_a_second(sizes.customers, scenario.seed + r) for r in range(sizes.repetitions)]
    customers = {name: _median([each[name] for each in peers]) for name in peers[0]}
    say(f"fleets of up to {sizes.devices[-1]:,} devices")
    fleets = growth.fleets(experiment, point, sizes.devices)
    say(f"sweeps of up to {sizes.points[-1]} points")
    sweeps = growth.sweeps(experiment, sizes.points, quantile)
    interactions = warms[0].interactions
    return {
        "scenario": scenario.name,
        "devices": processes,
        "interactions": interactions,
        "quantile": quantile,
        "requests_per_interaction": warms[0].requests / interactions,
        "cores": os.cpu_count(),
        "repetitions": sizes.repetitions,
        "ratio_warm": warm_rate / rate,
        "ratio_cold": cold / rate,
        "ratio_srm": model.positions_batched / model.positions_alone,
        "ratio_llm": model.lists_batched / model.lists_alone,
        "warm_over_simpy": interactions / warm_rate / (set_moments / simpy),
        "engine_over_simpy": engine_s / (set_moments / simpy),
        "growth_over_linear": growth.growth(fleets),
        "sweep_over_one_point": sweeps[-1].times_one,
        "live_interactions_per_s": rate,
        "live_devices_timed": sampled,
        "fast_cold_interactions_per_s": cold,
        "fast_warm_interactions_per_s": warm_rate,
        "events": set_moments,
        "simpy_timeouts_per_s": simpy,
        "srm_positions_per_s": model.positions_batched,
        "srm_best_batch": model.best_batch,
        "srm_positions_per_s_one_by_one": model.positions_alone,
        "llm_lists_per_s": model.lists_batched,
        "llm_lists_per_s_one_by_one": model.lists_alone,
        **{f"queue_{name}_customers_per_s": value for name, value in customers.items()},
        "peak_rss_mb": fleets[-1].peak_rss_mb,
        "bytes_per_device": growth.bytes_a_device(fleets),
        "bytes_per_outcome": float(np.median(outcome_bytes)),
        "fleets": [{**asdict(fleet), "interactions_per_s": fleet.rate} for fleet in fleets],
        "sweeps": [asdict(sweep) for sweep in sweeps],
    }


def _median(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return median(there) if there else None
