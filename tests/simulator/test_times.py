"""No time in a scenario is longer than the clock can count: each is refused before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
from keys import Key, keys
from pydantic import ValidationError
from witnesses import base, typical

from scenarios.schema import Scenario
from simulator.clock import ticks
from simulator.policies import AnyPolicy

AnyScenario = Scenario[AnyPolicy]
UNITS = {"_s": 1e8, "_ms": 1e11}
"""Three years, which leaves room to add dozens up."""


def longest(key: Key) -> float | None:
    """The longest time that a key takes; None for keys that are no times."""
    if key.name == "milliseconds":
        return UNITS["_ms"]
    if key.name.endswith("_per_s"):
        return None
    return next((most for unit, most in UNITS.items() if key.name.endswith(unit)), None)


TIMES = {(key.way[-1].block, key.name): key for key in keys(AnyScenario) if key.way and longest(key) is not None}
"""Once for each block, wherever it stands."""


def complaints(key: Key, time: float) -> list[str]:
    document = base()
    key.put(document, {1: time} if key.name == "milliseconds" else time, typical(Path()))
    try:
        AnyScenario.model_validate(document)
    except ValidationError as refused:
        return [f"{error['loc'][-1]}: {error['msg']}" for error in refused.errors() if "at most" in error["msg"]]
    return []


@pytest.mark.parametrize("key", TIMES.values(), ids=[key.path for key in TIMES.values()])
def test_a_time_that_the_clock_cannot_hold_is_refused(key: Key) -> None:
    most = longest(key)
    assert most is not None
    for too_long in (most * 1.01, 1e300):
        (found,) = complaints(key, too_long)
        assert found.startswith(f"{key.name}: ")
        assert found.endswith(f"expected at most {most:g} (three years)")
    # A round trip of that median may still be too widely spread, which is its spread's fault.
    assert not [text for text in complaints(key, most) if text.startswith(f"{key.name}: ")]


def test_dozens_of_the_longest_times_add_up() -> None:
    assert 90 * ticks(UNITS["_s"]) < 2**63
