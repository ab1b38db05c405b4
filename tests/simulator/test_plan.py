"""A plan is the cheapest that holds, holds afresh, and is not made where nothing holds."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest
import yaml

from scenarios.errors import ScenarioError
from scenarios.schema.cloud import Cloud
from scenarios.schema.objective import Objective
from simulator.experiment import read
from simulator.plan import broken, doubtful, guess, plan
from simulator.preparation import Experiment, prepare_experiment
from simulator.trial import attempts, world_of

MODEL = {"width": 8, "layers": 1, "heads": 1, "training": {"epochs": 1}}
SCENARIO = {
    "version": 1,
    "name": "planned",
    "data": {
        "source": {"kind": "synthetic", "users": 60, "items": 60, "interactions_per_user": 25},
        "pace": {"kind": "drawn", "start_spread_s": 60},
    },
    "recommenders": {"srm": MODEL, "llm": {"kind": "causal", **MODEL}, "list_length": 20},
    "fleet": {"devices": 300, "interactions": 4},
    "cloud": {"billed": "provisioned", "batching": {"max_size": 1}, "service": {"milliseconds": {1: 400}}},
    "objective": {"p95_latency_s": 1.0, "failed_share": 0.01},
    "sweep": {"policies": [{"kind": "random", "probability": 0.2}, {"kind": "always"}]},
}


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experiment]:
    folder = tmp_path_factory.mktemp("plan")
    (folder / "planned.yaml").write_text(yaml.safe_dump(SCENARIO))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFLEET_CACHE", str(folder / "cache"))
        made = prepare_experiment(read(folder / "planned.yaml"), lambda text: None, False)
        made.rehearse()
        yield made


def holding(experiment: Experiment, objective: Objective) -> Experiment:
    scenario = experiment.scenario.model_copy(update={"objective": objective})
    return Experiment(**{**vars(experiment), "scenario": scenario})


def test_a_plan_holds_afresh_in_19_of_20_replications_and_a_replica_fewer_does_not(experiment: Experiment) -> None:
    found = plan(experiment, 32, lambda text: None).chosen
    assert found is not None
    assert found.point.name == "random"  # who asks less needs fewer replicas

    def failing(replicas: int) -> int:
        cloud = experiment.scenario.cloud.model_copy(update={"replicas": replicas})
        world = world_of(experiment, experiment.scenario.model_copy(update={"cloud": cloud}))
        table = attempts(experiment, world, found.point, range(20), seed=77)
        return sum(bool(broken(table.iloc[[r]], experiment.scenario.objective)) for r in range(20))

    assert failing(found.replicas) <= 1
    assert found.replicas > 1
    assert failing(found.replicas - 1) > 1


def test_no_plan_is_made_where_nothing_holds(experiment: Experiment) -> None:
    out_of_reach = holding(experiment, Objective(ndcg_at_10=0.99))
    found = plan(out_of_reach, 4, lambda text: None)
    assert found.chosen is None
    assert (found.rows["verdict"] == "out: accuracy").all()
    too_few = plan(experiment, 1, lambda text: None)
    assert too_few.chosen is None
    assert too_few.rows["verdict"].str.startswith("leaves p95_latency_s").any()


@pytest.mark.parametrize("key", ["crashes", "brownouts"])
def test_a_plan_drops_nothing_that_befalls_a_replica(experiment: Experiment, key: str) -> None:
    """What befalls the third of three does not go away where one would do: fewer are not tried."""
    befalls = [{"kind": "scheduled", "replica": replica, "from_s": 1, "until_s": 2} for replica in (0, 2)]
    third = Cloud.model_validate(experiment.scenario.cloud.model_dump() | {"replicas": 3, key: befalls})
    easy = holding(experiment, Objective(failed_share=1.0))
    befallen = Experiment(
        **{**vars(easy), "scenario": easy.scenario.model_copy(update={"cloud": third}), "points": easy.points[:1]}
    )
    said: list[str] = []
    found = plan(befallen, 4, said.append)
    assert found.chosen is not None
    assert found.chosen.replicas == 3
    skipped, *tried = found.rows.to_dict("records")
    assert min(row["replicas"] for row in tried) == 3
    assert skipped["verdict"] == "cannot be tried: crashes or brownouts have one of replica 2"
    assert said[0].startswith("up to 2 replicas cannot be tried")
    with pytest.raises(ScenarioError, match="one of replica 2, so 3 replicas are the fewest, but 2 the most"):
        plan(befallen, 2, said.append)


def test_an_objective_is_needed(experiment: Experiment) -> None:
    with pytest.raises(ScenarioError, match="nothing is asked for"):
        plan(holding(experiment, Objective()), 4, lambda text: None)


def test_the_guess_grows_with_the_load_and_holds_it() -> None:
    cloud = Cloud.model_validate({"batching": {"max_size": 1, "max_wait_ms": 0}, "service": {"milliseconds": {1: 500}}})
    objective = Objective(p95_latency_s=1.0)
    guesses = [guess(cloud, rate, 0.06, objective, 100) for rate in (0.0, 1.0, 3.9, 10.0, 40.0)]
    assert guesses == sorted(guesses)
    assert guesses[0] == 1
    assert all(2.0 * replicas > rate for replicas, rate in zip(guesses, (0.0, 1.0, 3.9, 10.0, 40.0), strict=True))


def test_what_holds_by_chance_is_doubted() -> None:
    objective = Objective(p95_latency_s=1.0)
    wide = pd.DataFrame({"latency_p95_s": [0.8, 0.9, 0.99, 0.7] * 5})
    narrow = pd.DataFrame({"latency_p95_s": [0.80, 0.81, 0.79, 0.80] * 5})
    assert not broken(wide, objective)
    assert doubtful(wide, objective) == ["p95_latency_s"]
    assert not doubtful(narrow, objective)
