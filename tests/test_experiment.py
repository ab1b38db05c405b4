"""The main job end to end, small: what a user does, and what a user does wrong."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
from small import written

from scenarios.datasets import Unreachable
from scenarios.errors import UserError
from scenarios.schema.recommenders import SrmKind
from simulator import preparation, sweep
from simulator.checking import check_live
from simulator.commands import main
from simulator.experiment import read, run
from simulator.preparation import Experiment
from simulator.spread import Here, Processes

POLICIES = (
    {"kind": "never"},
    {"kind": "random", "probability": [0.3, 1.0]},
    {"kind": "periodic", "every": [1]},
    {"kind": "footrule", "quantile": [0.5]},
    {"kind": "always"},
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache for the module, so that models are trained once."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFLEET_CACHE", str(folder))
        yield folder


@pytest.fixture
def scenario(tmp_path: Path, cache: Path) -> Path:
    return written(tmp_path / "small.yaml", *POLICIES)


def test_a_scenario_becomes_a_curve_with_everything_beside_it(scenario: Path, tmp_path: Path) -> None:
    result = run(read(scenario), out=tmp_path / "out")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"curve.png", "curve.csv", "summary.json", "scenario.yaml", "cells"} <= written
    assert read(tmp_path / "out" / "scenario.yaml") == read(scenario)
    assert len(result.curve) == 6
    assert len(list((tmp_path / "out" / "cells").iterdir())) == 12


def test_asking_always_by_any_rule_is_the_same_and_never_costs_nothing(scenario: Path, tmp_path: Path) -> None:
    curve = run(read(scenario), out=tmp_path / "out").curve.set_index("policy")
    numbers = [column for column in curve.columns if column != "parameter"]
    always = curve.loc["always", numbers]
    everything = curve[(curve["requests_per_interaction"] == 1.0)]
    assert len(everything) == 3
    for _, row in everything[numbers].iterrows():
        pd.testing.assert_series_equal(row, always, check_names=False)
    assert curve.loc["never", "requests"] == 0
    assert curve.loc["never", "usd_per_1000_interactions"] == 0


def test_same_seed_same_bytes_on_one_process_or_two_and_another_seed_differs(scenario: Path, tmp_path: Path) -> None:
    run(read(scenario), out=tmp_path / "a")
    run(read(scenario), out=tmp_path / "b", spread=Processes(2))
    for name in ("summary.json", "curve.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    other = run(read(scenario, ["network.rtt_ms=2000"]), out=tmp_path / "c")
    assert (tmp_path / "c" / "curve.csv").read_bytes() != (tmp_path / "a" / "curve.csv").read_bytes()
    assert other.curve["latency_p50_ms"].max() > 1000


def test_a_second_run_takes_over_what_is_finished(scenario: Path, tmp_path: Path) -> None:
    run(read(scenario), out=tmp_path / "out")
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "cells").rglob("*.parquet")}
    run(read(scenario), out=tmp_path / "out")
    assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "cells").rglob("*.parquet")}


def test_requests_in_the_log_are_those_of_the_ledger_and_of_the_curve(scenario: Path, tmp_path: Path) -> None:
    result = run(read(scenario), out=tmp_path / "out")
    logged = 0
    for folder in (tmp_path / "out" / "cells").iterdir():
        facts = json.loads((folder / "cell.json").read_text())
        log = pd.read_parquet(folder / "requests.parquet")
        assert facts["ledger"]["issued"] == len(log)
        logged += len(log)
    assert logged == result.curve["requests"].sum()


def test_live_gives_the_same_curve(scenario: Path, tmp_path: Path) -> None:
    exact = ["recommenders.precision=float64", "sweep.replications=1"]
    fast = run(read(scenario, exact), out=tmp_path / "fast")
    live = run(read(scenario, exact), out=tmp_path / "live", live=True)
    pd.testing.assert_frame_equal(fast.curve, live.curve)


@pytest.mark.parametrize("kind", get_args(SrmKind))
def test_fast_and_live_agree_for_every_small_model_and_policy(scenario: Path, kind: str) -> None:
    said: list[str] = []
    assert check_live(read(scenario, [f"recommenders.srm.kind={kind}"]), said.append)
    assert len(said) == 7
    assert said[-1] == "fast and live agree on 12 devices"


@pytest.mark.parametrize("beams", [None, 20])
def test_fast_and_live_agree_where_codes_name_the_items(scenario: Path, beams: int | None) -> None:
    said: list[str] = []
    codes = {"kind": "t5", "item_ids": "semantic_behaviour", "levels": 1, "codebook": 40, "beams": beams}
    llm = {**codes, "width": 8, "layers": 1, "heads": 1, "training": {"epochs": 1}}
    assert check_live(read(scenario, [f"recommenders.llm={json.dumps(llm)}"]), said.append)
    assert said[-1] == "fast and live agree on 12 devices"


def test_fast_and_live_agree_where_16_users_decide_by_what_their_lists_lack(scenario: Path) -> None:
    said: list[str] = []
    llm = {"kind": "t5", "constrained": False, "width": 8, "layers": 1, "heads": 1, "training": {"epochs": 1}}
    rules = [{"kind": "lsc4rec_code", "quantile": 0.6}, {"kind": "threshold", "signal": "pads", "quantile": 0.6}]
    changes = {"recommenders.llm": llm, "sweep.policies": rules, "fusion": {"over": "probabilities", "gate": 0.2}}
    assert check_live(read(scenario, [f"{key}={json.dumps(value)}" for key, value in changes.items()]), said.append)
    assert said[-1] == "fast and live agree on 12 devices"


def test_without_delay_and_blocking_every_step_is_shown_with_the_freshest_list(scenario: Path, tmp_path: Path) -> None:
    still = [
        "network.rtt_ms=0",
        "network.uplink_mbps=null",
        "network.downlink_mbps=null",
        "cloud.batching.max_wait_ms=0",
        "cloud.service.milliseconds={1: 0, 8: 0}",
        "fleet.waiting={kind: blocking}",
    ]
    curve = run(read(scenario, still), out=tmp_path / "out").curve.set_index("policy")
    assert curve.loc["always", "mean_staleness"] == 0
    assert curve.loc["always", "held_share"] == 1


def test_without_a_network_the_synthetic_population_stands_in(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = preparation.obtain

    def unreachable(source: object, *rest: object) -> object:
        if getattr(source, "kind", None) == "movielens-100k":
            raise Unreachable("movielens-100k: cannot be reached")
        return real(source, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(preparation, "obtain", unreachable)
    result = run(read(scenario, ["data.source={kind: movielens-100k, users: 30}"]), out=tmp_path / "out", quiet=False)
    said = [line for line in capsys.readouterr().err.splitlines() if "synthetic" in line]
    assert len(said) == 1
    assert result.summary["data"]["users"] == 30
    assert read(tmp_path / "out" / "scenario.yaml").data.source.kind == "synthetic"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--set", "netwrk.rtt_ms=3"], "did you mean network"),
        (["--set", "network.rtt_ms=-1"], "at least 0"),
        (["--set", "sweep.replications=many"], "sweep.replications"),
        (["--set", "data.source={kind: imported, path: nowhere}"], "nowhere"),
    ],
)
def test_mistakes_end_in_a_line_and_exit_code_2(
    scenario: Path, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["run", str(scenario), "--quiet", *arguments])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert expected in said
    assert "Traceback" not in said


def test_a_folder_that_cannot_be_written_stops_before_any_work(scenario: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        run(read(scenario), out=tmp_path / "file" / "out")


def test_a_failed_cell_is_told_and_the_others_are_kept(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, real = tmp_path / "out", sweep.finish

    def fails_once(experiment: Experiment, number: int, *rest: Any) -> None:
        if number == 3:
            raise ZeroDivisionError("just so")
        real(experiment, number, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "finish", fails_once)
        with pytest.raises(SystemExit) as stopped:
            main(["run", str(scenario), "--quiet", "--out", str(out), "--jobs", "1"])
    assert stopped.value.code == 1
    said = capsys.readouterr().err
    assert "1 of 12 cells failed" in said
    assert "r1" in said
    assert "ZeroDivisionError: just so" in said
    assert "fails_once" in (out / "failures.txt").read_text()
    assert len(list((out / "cells").iterdir())) == 11
    assert not (out / "curve.csv").exists()
    run(read(scenario), out=out)
    run(read(scenario), out=tmp_path / "whole")
    assert not (out / "failures.txt").exists()
    assert (out / "summary.json").read_bytes() == (tmp_path / "whole" / "summary.json").read_bytes()


def test_a_killed_sweep_goes_on_to_the_same_bytes(scenario: Path, tmp_path: Path, cache: Path) -> None:
    out, more = tmp_path / "out", ["fleet.devices=300", "sweep.replications=1"]
    recfleet = [sys.executable, "-c", "from simulator.commands import main; main()"]
    process = subprocess.Popen(
        [*recfleet, "run", scenario, "--quiet", "--out", out, "--jobs", "2", *(f"--set={key}" for key in more)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "RECFLEET_CACHE": str(cache)},
    )
    while process.poll() is None and not list((out / "cells").glob("[!.]*")):
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (out / "curve.csv").exists()
    leftovers = [out / "cells" / ".unfinished-of-old", out / ".summary.json.of-old"]
    leftovers[0].mkdir()
    leftovers[1].touch()
    run(read(scenario, more), out=out, spread=Here())
    run(read(scenario, more), out=tmp_path / "whole", spread=Here())
    for name in ("summary.json", "curve.csv"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not any(path.exists() for path in leftovers)


def test_ten_kills_at_random_moments_leave_no_trace(scenario: Path, tmp_path: Path, cache: Path) -> None:
    """One sweep, begun without outcomes, killed and resumed: every file is that of a sweep that nothing disturbed."""
    more = ["fleet.devices=100"]
    run(read(scenario, more), out=tmp_path / "whole", spread=Here())
    lasted, draws, hits = json.loads((tmp_path / "whole" / "timings.json").read_text())["cells"], random.Random(0), 0
    shutil.rmtree(cache / "outcomes")
    for _ in range(10):
        # A copy of this process has all modules loaded already, so that each kill meets the sweep and not its start.
        sweeping = get_context("fork").Process(
            target=run, args=(read(scenario, more),), kwargs={"out": tmp_path / "out", "spread": Here()}
        )
        sweeping.start()
        sweeping.join(draws.uniform(0, lasted / 4))
        sweeping.kill()
        sweeping.join()
        hits += sweeping.exitcode == -signal.SIGKILL
    assert hits >= 5
    run(read(scenario, more), out=tmp_path / "out", spread=Here())
    files = [each for each in (tmp_path / "whole").rglob("*") if each.is_file() and each.name != "timings.json"]
    assert len(list((tmp_path / "out").rglob("*"))) == len(list((tmp_path / "whole").rglob("*")))
    for file in files:
        assert file.read_bytes() == (tmp_path / "out" / file.relative_to(tmp_path / "whole")).read_bytes(), file


@pytest.mark.parametrize("after_s", [0.3, 1.5, 3.0])
def test_ctrl_c_ends_with_130_and_leaves_nothing_half_written(
    scenario: Path, tmp_path: Path, after_s: float, cache: Path
) -> None:
    out = tmp_path / "out"
    recfleet = [sys.executable, "-c", "from simulator.commands import main; main()"]
    process = subprocess.Popen(
        [*recfleet, "run", scenario, "--out", out, "--set", "fleet.devices=20000", "--set", "sweep.replications=5"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "RECFLEET_CACHE": str(cache)},
        # A shell that starts the tests in the background has them ignore the signal, and their children with them.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    )
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    # Before Python has come to its main function the interpreter itself ends on the signal.
    assert process.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in said or process.returncode == -signal.SIGINT
    assert not (out / "curve.csv").exists()
    for folder in (out / "cells").glob("*"):
        assert (folder / "cell.json").exists()
