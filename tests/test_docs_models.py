"""docs/models.md: its commands are such as the command line takes, and the names in it are known."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from simulator.commands.contest import contestants, named
from simulator.commands.evaluate import _read, command

PAGE = (Path(__file__).parent.parent / "docs" / "models.md").read_text()
COMMANDS = re.findall(r"^    recfleet evaluate (.*?)\n\n", PAGE, flags=re.M | re.S)


@pytest.mark.parametrize("text", COMMANDS)
def test_a_command_names_models_and_settings_that_there_are(text: str) -> None:
    words = shlex.split(re.sub(r"\\\n\s+", "", text.replace(" \\\n", " \\\n ").replace(" \\\n", " ")))
    told = command.make_context("evaluate", words).params
    scenario = _read(told["data"], told["overrides"])
    names = named(scenario, told["models"])
    assert len(names) > 1
    for name in names:
        assert len(contestants(scenario, name, told["seeds"])) == told["seeds"]


def test_there_is_a_command_for_each_table() -> None:
    assert len(COMMANDS) == 4
