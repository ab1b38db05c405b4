"""`recfleet bench` measures everything it promises, and what it says adds up."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from simulator.commands import main
from simulator.commands.bench import growth, limits, measure

SCENARIO = """
version: 1
name: small
data: {source: {kind: synthetic, users: 60, items: 100, interactions_per_user: 30}}
recommenders:
  srm: {width: 8, layers: 1, heads: 1, training: {epochs: 1}}
  llm: {kind: causal, width: 8, layers: 1, heads: 1, training: {epochs: 1}}
sweep: {policies: [{kind: always}]}
"""
PROMISED = {
    "live_interactions_per_s",
    "fast_cold_interactions_per_s",
    "fast_warm_interactions_per_s",
    "ratio_cold",
    "ratio_warm",
    "simpy_timeouts_per_s",
    "srm_positions_per_s",
    "peak_rss_mb",
}


def test_it_measures_what_it_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECFLEET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(growth, "ProcessPoolExecutor", lambda workers, mp_context: ThreadPoolExecutor(workers))
    (tmp_path / "small.yaml").write_text(SCENARIO)
    with pytest.raises(SystemExit, match="0"):
        main(["bench", str(tmp_path / "small.yaml"), "--quick", "--json", str(tmp_path / "b.json")])
    found = json.loads((tmp_path / "b.json").read_text())
    assert set(found) >= PROMISED
    assert all(found[key] > 0 for key in PROMISED)
    warm, live = found["fast_warm_interactions_per_s"], found["live_interactions_per_s"]
    assert found["ratio_warm"] == pytest.approx(warm / live)
    assert [fleet["devices"] for fleet in found["fleets"]] == [10, 20]
    assert found["sweeps"][0]["times_one"] == 1
    assert not list((tmp_path / "cache" / "outcomes").glob("bench-*"))
    shown = capsys.readouterr().out
    assert "fast, outcomes stored, over live" in shown
    assert "timed on" in shown
    assert "memory a device, with its requests" in shown
    for name in ("one.png", "other.png"):
        with pytest.raises(SystemExit, match="0"):
            main(["bench", "--read", str(tmp_path / "b.json"), "--plot", str(tmp_path / name)])
    assert capsys.readouterr().out == 2 * shown
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  llm: {kind: causal,", "  generator: {kind: duet}\n  llm: null # {", r"recommenders\.llm: null"),
        ("sweep:", "fleet: {pushes: {kind: scheduled}}\nsweep:", r"fleet\.pushes: scheduled"),
    ],
    ids=["without lists", "with pushes"],
)
def test_what_it_cannot_measure_it_refuses_before_any_work(
    old: str, new: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measure, "prepare_experiment", None)
    (tmp_path / "small.yaml").write_text(SCENARIO.replace(old, new))
    with pytest.raises(SystemExit, match="2"):
        main(["bench", str(tmp_path / "small.yaml"), "--quick"])
    assert re.fullmatch(rf".*{said}; expected [^\n]*\n", capsys.readouterr().err)


def test_the_peers_are_given_one_queue() -> None:
    """Mean wait of M/M/2 at 70%: 0.961 services (Erlang C), by the script that stands for SimPy."""
    waits = limits._simpy(30_000, 0)
    assert len(waits) == 30_000
    assert sum(waits) / len(waits) == pytest.approx(0.7**2 / (1 - 0.7**2), rel=0.1)


def test_time_and_memory_that_grow_with_the_fleet_are_told_as_such() -> None:
    def size(devices: int, seconds: float, peak: float) -> growth.Size:
        return growth.Size(devices, 50 * devices, 5 * devices, seconds, peak, 100)

    sizes = [size(1000, 0.5, 110), size(10_000, 1, 200), size(100_000, 12, 1100)]
    assert growth.growth(sizes) == pytest.approx(1.2)
    assert growth.bytes_a_device(sizes) == pytest.approx(10_000)
