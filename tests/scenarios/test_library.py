"""Every scenario that comes with recfleet loads as it is, and says what question it answers."""

from pathlib import Path

import pytest

from scenarios.load import LIBRARY, dump, load
from scenarios.schema import Scenario
from simulator.policies import AnyPolicy

FILES = sorted(LIBRARY.glob("*.yaml"))


def test_nothing_is_missing() -> None:
    promised = {"quickstart", "movielens-1m", "device-only", "cloud-only", "poor-network", "busy-cloud", "synthetic"}
    stress = {"flash-crowd", "regional-outage", "replica-crash", "retry-storm", "slow-autoscaler"}
    models = {"p5", "ttt4rec", "solid", "dllm2rec", "mergenet", "lsc4rec-full", "lsc4rec-code", "smollm2", "on-device"}
    scale = {"million-devices", "big-catalogue"}
    assert promised | stress | models | scale <= {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_scenario(path: Path, tmp_path: Path) -> None:
    scenario = load(path, Scenario[AnyPolicy])
    assert path.read_text(encoding="utf-8").startswith("# Question: ")
    assert scenario.name == path.stem
    assert scenario.question.endswith("?")
    (tmp_path / "resolved.yaml").write_text(dump(scenario), encoding="utf-8")
    assert load(tmp_path / "resolved.yaml", Scenario[AnyPolicy]) == scenario
