"""A scenario becomes an experiment: data fetched, models trained, the world and the points of the sweep laid out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from models.arena import Load as Load
from models.prepare import prepare, refreshed
from models.recommenders import Recommenders
from models.versions import Versions
from scenarios.datasets import Unreachable, obtain
from scenarios.population import Population
from scenarios.schema.data import Published, Synthetic
from scenarios.schema.pushes import Pushes
from scenarios.split import split
from simulator import cells
from simulator.cells import Cell
from simulator.foresight import Demand
from simulator.outcomes import IntArray
from simulator.policies import AnyScenario
from simulator.policies.base import Point
from simulator.progress import Tell
from simulator.pushes import learned_from
from simulator.rehearse import rehearse
from simulator.world import World


@dataclass(frozen=True)
class Experiment:
    """A scenario with its data and models at hand: all that its cells share."""

    scenario: AnyScenario
    population: Population
    recommenders: Recommenders
    world: World
    points: list[Point]
    demand: list[Demand] = field(default_factory=list)

    def rehearse(self, tell: Tell | None = None) -> Demand:
        """Have the outcomes made that the sweep will look at; once."""
        if not self.demand:
            self.demand.append(self._rehearse(tell, None))
            self.recommenders.outcomes.flush()
        return self.demand[0]

    def unmade(self, size: int) -> list[range]:
        """Places of the users of whom no list was made yet, in parts of so many; none where nobody asks for lists."""
        outcomes, users = self.recommenders.outcomes, self.world.users[: self.world.devices]
        if isinstance(outcomes, Versions) or not any(point.policy.opens for point in self.points):
            return []
        parts = [range(start, min(start + size, len(users))) for start in range(0, len(users), size)]
        return [part for part in parts if not outcomes.store.begun(users[part.start : part.stop]).any()]

    def make(self, part: range, away: bool) -> Load | None:
        """Have the outcomes made that devices of these users will look at: they are kept on disk, or given back."""
        outcomes = self.recommenders.outcomes
        assert not isinstance(outcomes, Versions)
        self._rehearse(None, part)
        if away:
            return outcomes.store.unload()
        outcomes.flush()
        return None

    def take(self, made: Load | None) -> None:
        """Have what another process made."""
        outcomes = self.recommenders.outcomes
        assert not isinstance(outcomes, Versions)
        if made is None:
            outcomes.refresh()
        else:
            outcomes.store.load(made)

    def _rehearse(self, tell: Tell | None, part: range | None) -> Demand:
        policies = [point.policy for point in self.points]
        seeds = [cells.replication_seed(self.scenario.seed, r) for r in range(self.scenario.sweep.replications)]
        return rehearse(self.world, policies, seeds[0], self.recommenders.outcomes, tell, seeds[1:], part)

    def replicated(self, replications: int) -> Experiment:
        """The same with another number of replications; those it shares keep their seeds."""
        sweep = self.scenario.sweep.model_copy(update={"replications": replications})
        return replace(self, scenario=self.scenario.model_copy(update={"sweep": sweep}))

    def cells(self) -> list[Cell]:
        """Every cell of the sweep, in the order of the scenario."""
        scenario = self.scenario
        shared = {
            "world": scenario.model_dump(mode="json", include={"data", "fleet", "network", "cloud"}),
            "outcomes": self.recommenders.name,
            "warm_up_s": scenario.sweep.warm_up_s,
        }
        return cells.grid(self.points, scenario.sweep.replications, scenario.seed, shared)


def prepare_experiment(scenario: AnyScenario, announce: Callable[[str], None], progress: bool) -> Experiment:
    """Fetch or open the data, train or open the models. Raises `DataError` and `ModelError`.

    A published data set that cannot be reached is replaced by the synthetic population, with a line that says so.
    """
    try:
        behaviour = obtain(scenario.data.source, Path(), scenario.seed, announce, progress)
    except Unreachable as error:
        announce(f"{error}; going on with the synthetic population")
        size = scenario.data.source.users if isinstance(scenario.data.source, Published) else None
        source = Synthetic() if size is None else Synthetic(users=size)
        scenario = scenario.model_copy(update={"data": scenario.data.model_copy(update={"source": source})})
        behaviour = obtain(source, Path(), scenario.seed, announce, progress)
    population = split(behaviour, scenario.data.split)
    signals = sorted({name for family in scenario.sweep.policies for name in family.signals})
    recommenders = prepare(
        population,
        scenario.recommenders,
        scenario.fleet.catalogue,
        scenario.fusion,
        signals,
        announce,
        progress,
        scenario.fleet.adaptation,
    )
    users = population.replayed
    world = World(
        pace=scenario.data.pace,
        fleet=scenario.fleet,
        network=scenario.network,
        cloud=scenario.cloud,
        users=users,
        steps=population.steps[users],
        first=(behaviour.offsets[:-1] + population.replay_from)[users],
        stamps=behaviour.times,
        answer_items=recommenders.outcomes.answer_items,
        histories=population.replay_from[users],
        parameter_bytes=recommenders.parameter_bytes,
    )
    pushes = scenario.fleet.pushes
    if isinstance(pushes, Pushes):
        seeds = [cells.replication_seed(scenario.seed, r) for r in range(scenario.sweep.replications)]
        recommenders = refreshed(recommenders, pushes, _newer(population, learned_from(world, pushes, seeds)))
        world = replace(world, push_bytes=recommenders.push_bytes(pushes), all_users=behaviour.n_users)
    points = [point for family in scenario.sweep.policies for point in family.points(recommenders.reference)]
    return Experiment(scenario, population, recommenders, world, points)


def _newer(population: Population, lived: Sequence[IntArray]) -> list[Population]:
    """Of each version, the streams as they are known when it is made. lived: [users replayed] interactions of each."""
    known = []
    for each in lived:
        replay_from = population.replay_from.copy()
        replay_from[population.replayed] += each
        known.append(replace(population, replay_from=replay_from))
    return known
