"""The search for a cliff finds the load at which a formula says that the objective is left; stairs show two states."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from analysis.queueing import mmc_timeouts
from scenarios.errors import ScenarioError, UserError
from simulator.commands.stress import command
from simulator.commands.validate.worlds import poisson, simulate
from simulator.experiment import read
from simulator.hysteresis import STAIRS, Stairs, failing
from simulator.stress import Cliff, search, stress
from simulator.trial import settings, variant

LOADS = (0.25, 0.5, 1.0, 2.0, 4.0)


@given(st.floats(0.3, 3.9), st.sampled_from([0.01, 0.05, 0.3]))
def test_a_cliff_is_found_within_the_tolerance(truth: float, tolerance: float) -> None:
    held, left = search(lambda load: load <= truth, LOADS, tolerance)
    assert held <= truth < left <= held * (1 + tolerance)


def test_no_cliff_is_claimed_beyond_what_was_tried() -> None:
    assert search(lambda load: True, LOADS, 0.05) == (4.0, math.inf)
    assert search(lambda load: False, LOADS, 0.05) == (0.0, 0.25)


@pytest.mark.parametrize("loads", ["nan", "1,inf", "0", "1e30", "", "a"])
def test_loads_that_are_none_are_refused(loads: str) -> None:
    shown = CliRunner().invoke(command, ["quickstart", "--loads", loads])
    assert shown.exit_code == 2
    assert "expected numbers above 0" in shown.output


SERVERS, TIMEOUT_S, ALLOWED, TOLERANCE = 3, 4.0, 0.1, 0.05


def failed(rate: float) -> float:
    """Share of the requests of a Poisson stream that time out on servers of one second each, by the engine."""
    cloud = {
        "replicas": SERVERS,
        "batching": {"max_size": 1, "max_wait_ms": 0},
        "service": {"milliseconds": {1: 1000}, "spread": {"kind": "exponential"}},
        "drops_given_up": True,
    }
    world = poisson(cloud, rate, 20_000, seed=5)
    fleet = world.fleet.model_copy(update={"timeout_s": TIMEOUT_S})
    log = simulate(type(world)(**{**vars(world), "fleet": fleet}), seed=5).requests
    return float((log["status"] == "timed_out").mean())


def test_the_cliff_of_time_outs_lies_where_the_formula_says() -> None:
    """M/M/c with time-outs: the load at which a tenth of the requests is late."""
    truth = optimize.brentq(lambda rate: mmc_timeouts(rate, 1, SERVERS, TIMEOUT_S) - ALLOWED, 0.1, 10)
    held, left = search(lambda load: failed(load * SERVERS) <= ALLOWED, (0.5, 1.0, 2.0), TOLERANCE)
    assert math.sqrt(held * left) * SERVERS == pytest.approx(truth, rel=TOLERANCE)


@pytest.mark.parametrize("rate", [1.0, 3.0, 6.0])
def test_the_formula_of_time_outs_against_the_engine(rate: float) -> None:
    assert failed(rate) == pytest.approx(mmc_timeouts(rate, 1, SERVERS, TIMEOUT_S), rel=0.06, abs=0.003)


def test_settings_are_every_combination() -> None:
    assert settings(["cloud.replicas=1,2", "network.loss=0,0.1"]) == [
        ("cloud.replicas=1", "network.loss=0"),
        ("cloud.replicas=1", "network.loss=0.1"),
        ("cloud.replicas=2", "network.loss=0"),
        ("cloud.replicas=2", "network.loss=0.1"),
    ]
    assert settings([]) == [()]


@pytest.mark.parametrize(
    "wrong", ["cloud.replicas", "cloud.replicas=1,,2", "recommenders.list_length=20,50", "seed=1,2"]
)
def test_a_setting_that_would_change_the_models_is_refused(wrong: str) -> None:
    with pytest.raises(ScenarioError, match="--vary"):
        settings([wrong])


@pytest.mark.parametrize("wrong", ["interactions=21", "interactions=null", "pushes.kind=scheduled"])
def test_a_setting_for_which_nothing_was_rehearsed_is_refused(wrong: str) -> None:
    """What a policy does after the last step of the rehearsal is not known: taken from there, it may never end."""
    own = ("fleet.interactions=20",)
    base = read("quickstart", own)
    with pytest.raises(ScenarioError, match="--vary fleet"):
        variant("quickstart", own, (f"fleet.{wrong}",), base)
    assert variant("quickstart", own, ("fleet.interactions=5",), base).fleet.interactions == 5


def test_stairs_tell_two_states_at_one_load_from_chance() -> None:
    up = [0.0, 0.02, 0.05, 0.3, 0.6]
    stuck, healed = [*up, 0.6, 0.6, 0.5, 0.3], [*up, *up[-2::-1]]
    rng = np.random.default_rng(0)

    def stairs(shares: list[float]) -> Stairs:
        return Stairs("", "always", None, np.clip(shares + rng.normal(0, 0.01, (4, len(STAIRS))), 0, 1))

    assert stairs(stuck).gap == pytest.approx(0.55, abs=0.05)
    assert stairs(stuck).excess(0) == pytest.approx(0.3, abs=0.05)
    assert stairs(healed).gap == 0


def test_failures_are_counted_on_the_stair_that_they_were_sent_on() -> None:
    log = pd.DataFrame({"sent_s": [0.5, 0.6, 1.5, 9.0], "status": ["lost", "answered", "timed_out", "rejected"]})
    shares = failing(log, [0.0, 1.0, 2.0, 3.0])
    assert shares[:2].tolist() == [0.5, 1.0]
    assert np.isnan(shares[2])


def test_a_search_that_fails_is_told_of_once_the_others_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [SimpleNamespace(name=name) for name in ("sound", "broken", "sound")]
    experiment: Any = SimpleNamespace(points=points, rehearse=lambda: None)

    def found(experiment: Any, scenario: Any, setting: str, point: Any, loads: Any, tolerance: float) -> Any:
        if point.name == "broken":
            raise ScenarioError("why")
        return [], Cliff(setting, point.name, None, 1.0, 2.0, "")

    monkeypatch.setattr("simulator.stress.cliff", found)
    searches = stress(experiment, [("busy", cast(Any, None))])
    assert [next(searches)[1].policy for _ in range(2)] == ["sound", "sound"]
    with pytest.raises(UserError, match=r"1 of 3 cliffs were not found:\nbusy broken: .*why"):
        next(searches)
