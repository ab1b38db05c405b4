"""A recording of round trips is read as it stands, or refused with the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.errors import ScenarioError
from scenarios.load import dump, load
from scenarios.schema import Scenario
from scenarios.schema.access import Trace
from scenarios.trace import read
from simulator.policies import AnyPolicy

HEAD = "version: 1\nname: test\nsweep: {policies: [{kind: never}]}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "trips.csv"
    path.write_text(text)
    return path


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    time, rtt = read(write(tmp_path, "cell,rtt_ms, time_s\n7,50,0\n7,60.5,1.5\n\n8,0,2\n"))
    assert (time.tolist(), rtt.tolist()) == ([0, 1.5, 2], [50, 60.5, 0])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", ":1: column time_s is missing, expected time_s and rtt_ms"),
        ("time_s,rtt\n0,1\n", ":1: column rtt_ms is missing, expected time_s and rtt_ms"),
        ("time_s,rtt_ms\n0,1\n", ": has 1 rows, expected at least 2"),
        ("time_s,rtt_ms\n0,1\n1,fast\n", ":3: rtt_ms: expected a finite number"),
        ("time_s,rtt_ms\n0,1\n1\n", ":3: rtt_ms: expected a finite number"),
        ("time_s,rtt_ms\n0,1\ninf,2\n", ":3: time_s: expected a finite number"),
        ("time_s,rtt_ms\n0,1\n1,-2\n", ":3: rtt_ms: -2: expected a number at least 0"),
        ("time_s,rtt_ms\n0,1\n1,2\n1,2\n", ":4: time_s: 1 does not lie after 1"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ScenarioError) as refused:
        read(path)
    assert str(refused.value) == f"{path}{complaint}"


def test_a_scenario_notes_which_recording_it_was(tmp_path: Path) -> None:
    """Its results depend on the file's content, so the resolved scenario, and with it every cell's key, names that."""
    write(tmp_path, "time_s,rtt_ms\n0,50\n1,60\n")
    file = tmp_path / "s.yaml"
    file.write_text(HEAD + "network: {mix: [{kind: own, share: 1, round_trip: {kind: trace, path: trips.csv}}]}\n")
    scenario = load(file, Scenario[AnyPolicy])
    trip = scenario.network.mix[0].round_trip
    assert isinstance(trip, Trace)
    assert trip.path == tmp_path / "trips.csv"
    (tmp_path / "resolved.yaml").write_text(dump(scenario))
    assert load(tmp_path / "resolved.yaml", Scenario[AnyPolicy]) == scenario
    write(tmp_path, "time_s,rtt_ms\n0,50\n1,61\n")
    assert load(file, Scenario[AnyPolicy]) != scenario
    with pytest.raises(ScenarioError, match="any more"):
        load(tmp_path / "resolved.yaml", Scenario[AnyPolicy])


def test_a_recording_that_is_not_there_is_refused_with_its_key(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(HEAD + "network:\n  round_trip: {kind: trace, path: gone.csv}\n")
    with pytest.raises(ScenarioError) as refused:
        load(file, Scenario[AnyPolicy])
    gone = f"{tmp_path / 'gone.csv'}: cannot be read (No such file or directory)"
    assert str(refused.value) == f"{file}:5: network.round_trip.path: {gone}"
