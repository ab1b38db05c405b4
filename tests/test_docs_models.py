"""docs/models.md: its commands are such as the command line takes, and the names in it are known."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from simulator.commands.contest import contestants, named
from simulator.commands.evaluate import _read, command
from simulator.policies import AnyScenario

PAGE = (Path(__file__).parent.parent / "docs" / "models.md").read_text()
BLOCKS = re.findall(r"^(    recfleet evaluate .*?)\n\n", PAGE, flags=re.M | re.S)
"""Commands, one or more, with a table under them."""
COMMANDS = [text for block in BLOCKS for text in re.split(r"^    recfleet evaluate ", block, flags=re.M)[1:]]


def asked(text: str) -> tuple[AnyScenario, list[str], int]:
    """The scenario, models and seeds of a command."""
    told = command.make_context("evaluate", shlex.split(re.sub(r"\\\n\s+", "", text))).params
    scenario = _read(told["data"], told["overrides"])
    return scenario, named(scenario, told["models"]), told["seeds"]


@pytest.mark.parametrize("text", COMMANDS)
def test_a_command_names_models_and_settings_that_there_are(text: str) -> None:
    scenario, names, seeds = asked(text)
    assert names
    for name in names:
        assert len(contestants(scenario, name, seeds)) == seeds


@pytest.mark.parametrize("block", BLOCKS)
def test_the_table_under_commands_has_their_models(block: str) -> None:
    wanted = []
    for text in (text for text in COMMANDS if text in block):
        scenario, names, _ = asked(text)
        llm = scenario.recommenders.llm
        assert llm is not None
        wanted += [llm.kind if name == "llm" else name for name in names]
    under = re.split(r"^    recfleet |^## ", PAGE.partition(block)[2], flags=re.M)[0]
    assert re.findall(r"^\| `(\S+)` \|", under, flags=re.M) == wanted


def test_what_is_bold_is_off_zero_and_nothing_else() -> None:
    found = re.findall(r"(\*\*)?([+-]\d\.\d+) ±(\.\d+)", PAGE)
    assert found
    for bold, value, half in found:
        if abs(float(value)) != float(half):  # else rounding hides on which side it is
            assert (abs(float(value)) > float(half)) == bool(bold), f"{value} ±{half}"


def test_there_are_commands_for_each_table() -> None:
    assert len(BLOCKS) == PAGE.count("\n| model | ") > 1
