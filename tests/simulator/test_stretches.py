"""Books are closed and tables written a stretch at a time: the same ones, and memory does not grow with a run."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from troubles import rough_worlds
from worlds import POLICIES, outcomes, policy, world

import simulator.run
from scenarios.errors import UserError, WriteError
from simulator import cells, records, shown
from simulator.finish import leave
from simulator.policies.base import Policy
from simulator.rehearse import rehearse
from simulator.run import Result, run
from simulator.world import World


def result(w: World, p: Policy) -> Result:
    return run(w, p, 1, rehearse(w, [p], 1, outcomes(w)))


def told(r: Result, warm_up_s: float | str = 0.0) -> dict[str, Any]:
    return {
        "policy": "x",
        "parameter": None,
        "replication": 0,
        "seed": 1,
        "duration_s": r.duration_s,
        "replicas": 1.0,
        "busy_s": r.busy_s,
        "usd": r.usd,
        "warm_up_s": warm_up_s,
    }


def read(folder: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    facts = cells.read_facts(folder)
    assert facts is not None
    return {path.stem: pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}, facts["summary"]


@given(rough_worlds(), POLICIES, st.integers(1, 40), st.sampled_from([0.0, "mser5"]))
@settings(max_examples=6, deadline=None)
def test_stretches_of_any_length_leave_the_same_files(
    tmp_path_factory: pytest.TempPathFactory, w: World, p: Policy, chunk: int, warm_up_s: float | str
) -> None:
    folder = tmp_path_factory.mktemp("cells")
    whole = result(w, p)
    assume(whole.devices["interactions"].any())
    leave(whole, told(whole, warm_up_s), folder / "whole")
    with patch.object(records, "CHUNK", chunk):
        pieces = result(w, p)
        leave(pieces, told(pieces, warm_up_s), folder / "pieces")
    assert asdict(whole.ledger) == asdict(pieces.ledger)
    (tables, summary), (others, other) = read(folder / "whole"), read(folder / "pieces")
    assert list(tables) == list(others) == ["ages", "detours", "devices", "requests", "series", "shifts", "users"]
    for name, table in tables.items():
        rounded = name == "series"  # the stays of a crash are added up with the requests of their time
        pd.testing.assert_frame_equal(table, others[name], check_exact=not rounded, rtol=1e-12)
    assert summary.keys() == other.keys()
    for name, value in summary.items():
        assert other[name] == (pytest.approx(value, rel=1e-12) if name.startswith("gpu_s") else value), name


def test_one_stretch_is_the_file_that_pandas_writes(tmp_path: Path) -> None:
    r = result(world([12] * 5), policy("always"))
    leave(r, told(r), tmp_path / "cell")
    r.requests.to_parquet(tmp_path / "whole.parquet", index=False)
    assert (tmp_path / "cell" / "requests.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


@pytest.mark.parametrize("batching", ["static", "continuous"])
def test_memory_does_not_grow_with_the_length_of_a_run(
    batching: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four times the requests of the same devices: books and tables hold no more at a time."""
    monkeypatch.setattr(records, "CHUNK", 50)
    monkeypatch.setattr(shown, "BATCH", 100)
    close, peaks, requests = simulator.run._result, [], []

    def watched(*args: Any) -> Result:
        tracemalloc.start()
        r = close(*args)
        leave(r, told(r), tmp_path / str(len(peaks)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        requests.append(r.ledger.issued)
        return r

    monkeypatch.setattr(simulator.run, "_result", watched)
    cloud: dict[str, Any] = {"batching": {"kind": batching}}
    if batching == "continuous":
        cloud["service"] = {"table": "llama2-7b-a100"}
    pace = {"kind": "drawn", "start_spread_s": 600}
    for steps in (15, 15, 60):  # the first time also loads what is loaded once
        result(world([steps] * 20, None, pace, None, None, cloud), policy("always"))
    assert requests[2] == 4 * requests[1] == 1200
    assert peaks[2] < 1.25 * peaks[1], peaks


@pytest.mark.parametrize("size", [0, 20_000])
def test_a_disk_that_is_full_leaves_no_half_of_a_cell(
    size: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files_of_at_most: Callable[[int], AbstractContextManager[None]],
) -> None:
    r = result(world([40] * 30), policy("always"))
    with monkeypatch.context() as short:
        short.setattr(records, "CHUNK", 100)
        with files_of_at_most(size), pytest.raises(UserError, match=r"cannot be written \(File too large\)"):
            result(world([40] * 30), policy("always"))
    with files_of_at_most(size), pytest.raises(WriteError, match=r"cell: cannot be written \(.*File too large"):
        leave(r, told(r), tmp_path / "cells" / "cell")
    assert list((tmp_path / "cells").iterdir()) == []
    leave(r, told(r), tmp_path / "cells" / "cell")
    assert np.array_equal(read(tmp_path / "cells" / "cell")[0]["requests"]["step"], r.requests["step"])
