"""What the README says is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import yaml

from simulator.commands import COMMANDS
from simulator.experiment import read

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_two_commands_stand_there() -> None:
    blocks = re.findall(r"```sh\n(.*?)\n```", README, flags=re.S)
    assert blocks == [
        "pip install -e . && recfleet run scenarios/quickstart.yaml",
        "pip install -e '.[test]' && pytest",
    ]


def test_the_scenario_explained_is_the_one_that_is_run() -> None:
    (explained,) = re.findall(r"```yaml\n(.*?)\n```", README, flags=re.S)
    assert yaml.safe_load(explained) == yaml.safe_load((ROOT / "scenarios" / "quickstart.yaml").read_text())


def test_every_command_named_exists() -> None:
    named = set(re.findall(r"`recfleet ([a-z]+)", README))
    assert named
    assert named <= set(COMMANDS)


def test_every_override_named_is_sound() -> None:
    named = re.findall(r"`--set ('[^']+'|[^`\s]+)`", README)
    assert len(named) >= 4
    for override in named:
        (text,) = shlex.split(override)
        if "=" in text and not text.startswith("a.b"):
            read(ROOT / "scenarios" / "quickstart.yaml", [text])


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_scenarios_named_are_shipped() -> None:
    sentence = re.search(r"Other scenarios to start\s+from: (.*?) \(all in", README, flags=re.S)
    assert sentence
    for name in re.findall(r"`([^`]+)`", sentence[1]):
        assert (ROOT / "scenarios" / f"{name}.yaml").is_file()
