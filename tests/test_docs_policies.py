"""docs/policies.md: its code runs as it stands there, and does what the text says."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import TypeAdapter
from small import written

from scenarios.schema.cloud import Cloud
from simulator.policies import AnyPolicy
from simulator.policies.base import Family

TEXT = (Path(__file__).parent.parent / "docs" / "policies.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", TEXT, flags=re.S)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What stands in the notebook once all its cells were run, in a folder whose quickstart is a small one."""
    notebook = ModuleType("notebook")
    folder = tmp_path_factory.mktemp("notebook")
    policies = {"kind": "never"}, {"kind": "periodic", "every": [2, 15]}, {"kind": "always"}
    written(folder / "quickstart", *policies, users=20, items=50, interactions_per_user=30)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("RECFLEET_CACHE", str(folder / "cache"))
        patch.setitem(sys.modules, "notebook", notebook)
        for cell in CODE:
            exec(compile(cell, "docs/policies.md", "exec"), notebook.__dict__)
        assert (folder / "results/rested/bytes.svg").stat().st_size > 1000
        assert (folder / "results/rested/curve.png").exists()
    return notebook.__dict__


def test_the_policy_takes_twenty_lines_and_rests(done: dict[str, Any]) -> None:
    body = CODE[0].split("@dataclass")[1]
    assert len([line for line in body.splitlines() if line.strip()]) <= 20
    every = done["requests"]
    requests = every[every["policy"] == "rested"].sort_values(["parameter", "replication", "device", "step"])
    gaps = requests.groupby(["parameter", "replication", "device"])["step"].diff().dropna()
    assert len(gaps) > 10
    assert gaps.min() == 3


def test_the_frame_has_its_points_beside_those_of_the_scenario(done: dict[str, Any]) -> None:
    rested = done["curve"].query("policy == 'rested'")
    assert len(rested) == len(done["scenario"].sweep.policies[-1].quantile)
    assert rested["requests_per_interaction"].is_monotonic_decreasing
    assert {"never", "periodic", "always", "rested"} == set(done["curve"]["policy"])
    assert {standing.policy for standing in done["board"].standings} >= {"rested"}


def test_the_second_policy_is_one(done: dict[str, Any]) -> None:
    from worlds import outcomes, world

    from simulator.rehearse import rehearse
    from simulator.run import run

    policy = done["Doubling"]()
    w = world([400], pace={"kind": "drawn", "think_time_s": 1, "session_length": 1000})
    sent = run(w, policy, 1, rehearse(w, [policy], 1, outcomes(w))).requests["sent_s"].to_numpy()
    assert len(sent) >= 3
    assert (np.diff(sent) >= 120 * 2.0 ** np.arange(len(sent) - 1)).all()


def test_the_budgets_are_as_the_scenario_takes_them() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.S)
    told = yaml.safe_load(block)
    Cloud.model_validate(told["cloud"])
    adapter: TypeAdapter[Family] = TypeAdapter(AnyPolicy)
    for family in told["sweep"]["policies"]:
        assert adapter.validate_python(family).points(lambda name: np.linspace(0, 10, 101))


def test_every_place_named_is_there() -> None:
    for name in re.findall(r"`((?:simulator|models|tests)/[a-z_/]+(?:\.py)?)`", TEXT):
        assert (Path(__file__).parent.parent / name).exists(), name
