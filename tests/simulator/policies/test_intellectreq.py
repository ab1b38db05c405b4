"""IntellectReq over DUET, as its paper has it: from the old parameters to new ones at each step, at the rate wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from pydantic import TypeAdapter

from models import generators
from models.learned import intellectreq
from models.live import Live
from models.recommenders import OLDEST
from scenarios.behaviour import Behaviour
from simulator.experiment import read
from simulator.policies import AnyPolicy
from simulator.policies.base import Family, Point, Sight
from simulator.preparation import Experiment, prepare_experiment
from simulator.run import run

SCENARIO = {
    "version": 1,
    "name": "intellectreq",
    "data": {
        "source": {"kind": "synthetic", "users": 30, "items": 60, "interactions_per_user": 25},
        "split": {"kind": "fraction", "history": 0.4, "validation": 0.3},
    },
    "recommenders": {
        "srm": {"kind": "gru4rec", "width": 8, "layers": 1, "heads": 1, "window": 12},
        "llm": None,
        "generator": {"kind": "duet", "as_released": True, "training": {"epochs": 1, "batch_size": 8}},
        "list_length": 60,
        "precision": "float64",
    },
    "fleet": {"catalogue": {"kind": "all"}, "waiting": {"kind": "blocking", "deadline_ms": 1e9}},
    "sweep": {"replications": 1, "policies": [{"kind": "intellectreq", "threshold": 0}, {"kind": "always"}]},
}
FAMILY: TypeAdapter[Family] = TypeAdapter(AnyPolicy)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experiment]:
    """Heads as drawn, so that old and new ones say other things, and a detector that has hardly learned."""
    folder = tmp_path_factory.mktemp("intellectreq")
    (folder / "scenario.yaml").write_text(yaml.safe_dump(SCENARIO))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFLEET_CACHE", str(folder / "cache"))
        patch.setattr(intellectreq, "UPDATES", 10)
        yield prepare_experiment(read(folder / "scenario.yaml"), print, False)


def points(experiment: Experiment, **keys: Any) -> list[Point]:
    return FAMILY.validate_python(keys).points(experiment.recommenders.reference)


def devices(experiment: Experiment, **keys: Any) -> pd.DataFrame:
    """What each device got under a policy; every answer is there before the list is shown."""
    (point,) = points(experiment, **keys)
    return run(experiment.world, point.policy, 1, experiment.rehearse()).devices


@torch.no_grad()
def ndcg(experiment: Experiment, renewed: bool) -> list[float]:
    """[users] sums of NDCG@10 of the generator itself, with parameters of this step or of the first one."""
    population, spec = experiment.population, experiment.scenario.recommenders
    assert spec.generator is not None
    name, n_items = experiment.recommenders.srm_key, population.behaviour.n_items
    model = generators.open_generator(n_items, spec.srm, spec.generator, name).double()
    sums = []
    for user in population.replayed.tolist():
        items = torch.from_numpy(population.behaviour.stream(user).astype(np.int64))
        first, total = int(population.replay_from[user]), 0.0
        for place in range(first, len(items)):
            made_of = items[None, : place if renewed else first]
            head = model.generate(model.history(made_of)[:, -1])
            state = model.backbone.encode(items[None, :place])[:, -1]
            scores = model.score_all(model.personal(head, state[:, None])[:, 0])[0]
            scores[items[:place]] = -torch.inf
            rank = 1 + int((scores > scores[items[place]]).sum())
            if items[place] not in items[:place] and rank <= 10:
                total += 1 / np.log2(1 + rank)
        sums.append(total)
    return sums


def test_at_rate_0_it_is_the_stale_model_and_at_100_it_is_duet(experiment: Experiment) -> None:
    """After the first answer, which brings the parameters that grow old."""
    seldom = devices(experiment, kind="intellectreq", threshold=1e9)
    assert (seldom["requests"] == 1).all()
    stale = ndcg(experiment, renewed=False)
    assert seldom["ndcg_at_10"].tolist() == pytest.approx(stale)
    ever = devices(experiment, kind="intellectreq", threshold=-1e9)
    assert (ever["requests"] == ever["interactions"]).all()
    fresh = ndcg(experiment, renewed=True)
    assert ever["ndcg_at_10"].tolist() == pytest.approx(fresh)
    pd.testing.assert_frame_equal(ever, devices(experiment, kind="always"))
    assert np.abs(np.array(stale) - fresh).max() > 0.1


def live(experiment: Experiment) -> Live:
    made = experiment.recommenders.live()
    assert isinstance(made, Live)
    return made


def test_on_the_validation_part_it_asks_at_the_rate_wanted(experiment: Experiment) -> None:
    """To 1% of all looks, as devices by themselves see them: at lists of every age, each at the steps after it."""
    population = experiment.population
    moved = replace(population, replay_from=population.history_end)
    validated, seen = replace(live(experiment), population=moved), []
    for user, steps in enumerate((population.replay_from - population.history_end).tolist()):
        for cut in range(steps):
            device = validated.device(user)
            for step in range(cut, min(steps, cut + OLDEST + 1)):
                device.look(step)
                if step == cut:
                    device.hold(cut)
                seen.append(device.signals()["misjudgement"])
    assert len(seen) > 500
    sight = Sight(np.arange(len(seen)), 0, {"misjudgement": np.array(seen)}, lambda: np.zeros(len(seen)))
    rates = [0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.9]
    found = points(experiment, kind="intellectreq", quantile=[1 - rate for rate in rates])
    asked = [float(point.policy.asks(sight).mean()) for point in found]
    assert asked == pytest.approx(sorted(rates, reverse=True), abs=0.01)


def test_it_looks_at_nothing_that_is_still_to_come(experiment: Experiment) -> None:
    """Neither at the item that is taken next, which is what it is to be right about, nor at any after that."""
    population = experiment.population
    data, half = population.behaviour, population.replay_from + population.steps // 2
    items = data.items.copy()
    for begin, end, known in zip(data.offsets[:-1], data.offsets[1:], half, strict=True):
        items[begin + known : end] = (items[begin + known : end] + 1) % data.n_items
    other = replace(population, behaviour=Behaviour(**{**data.__dict__, "items": items}))
    made = experiment.recommenders
    differs = replace(made, population=other, key="of others to come")
    for user in population.replayed.tolist():
        steps = int(population.steps[user])
        seen, changed = (each.outcomes.signal("misjudgement", user, 0, 0, steps) for each in (made, differs))
        known = steps // 2 + 1
        np.testing.assert_allclose(changed[:known], seen[:known], rtol=0, atol=1e-9)
        assert (np.abs(changed - seen)[known:] > 1e-6).all()
