"""Where a sweep is spread over workers, so is the making of its outcomes; results do not tell where it was done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import written

from models.outcomes import OutcomeStore
from simulator import sweep
from simulator.experiment import read, run
from simulator.preparation import prepare_experiment
from simulator.spread import Here, Processes


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    policies = {"kind": "never"}, {"kind": "footrule", "quantile": [0.5, 0.9]}, {"kind": "random", "probability": 0.2}
    return written(tmp_path / "small.yaml", *policies)


def test_workers_make_the_outcomes_and_results_are_those_of_one_process(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECFLEET_CACHE", str(tmp_path / "of-one"))
    run(read(scenario), out=tmp_path / "one", spread=Here())
    monkeypatch.setenv("RECFLEET_CACHE", str(tmp_path / "of-many"))
    monkeypatch.setattr(sweep, "TOGETHER", 8)

    def here(*args: Any) -> None:
        raise AssertionError("outcomes were made in the process that only spreads the work")

    monkeypatch.setattr(OutcomeStore, "_make", here)
    run(read(scenario), out=tmp_path / "many", spread=Processes(2))
    for file in (each for each in (tmp_path / "one").rglob("*") if each.is_file() and each.name != "timings.json"):
        other = tmp_path / "many" / file.relative_to(tmp_path / "one")
        assert file.read_bytes() == other.read_bytes(), file


def test_parts_made_apart_are_together_what_is_made_at_once(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts as they are sent home from other machines; and nobody's outcomes are made twice."""
    monkeypatch.setenv("RECFLEET_CACHE", str(tmp_path))
    together = prepare_experiment(read(scenario), print, False)
    apart, home = (prepare_experiment(read(scenario), print, False) for _ in range(2))
    parts = home.unmade(8)
    assert [user for part in parts for user in part] == list(range(30))
    together.rehearse()
    for part in parts:
        home.take(apart.make(part, away=True))
    assert home.unmade(8) == []
    users = home.world.users
    starts, stops = np.zeros_like(users), home.world.steps
    monkeypatch.setattr(OutcomeStore, "_make", None)
    home.rehearse()
    for cut in (-1, 0):
        cuts = starts + cut
        mine = home.recommenders.outcomes.ranks(users, cuts, starts, np.minimum(stops, 1))
        assert mine.tolist() == together.recommenders.outcomes.ranks(users, cuts, starts, np.minimum(stops, 1)).tolist()
