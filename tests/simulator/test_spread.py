"""Work comes back the same from this process and from others; what fails is told, and the rest is done."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pieces import dies_at_two, fails_at_two, meets_a_full_disk, shares

from scenarios.errors import UserError, WriteError
from simulator.spread import Cluster, Failure, Here, Processes, Spread


def done(spread: Spread, work: Any, shared: object = None) -> dict[int, Any]:
    return dict(spread.each(work, shared, range(8)))


def test_processes_give_what_this_one_gives_and_are_others() -> None:
    shared = np.arange(1 << 18, dtype=np.float64)  # 2 MB: mapped, not sent
    here, apart = done(Here(), shares, shared), done(Processes(2), shares, shared)
    assert {i: total for i, (total, _) in here.items()} == {i: total for i, (total, _) in apart.items()}
    assert {process for _, process in here.values()} == {os.getpid()}
    assert os.getpid() not in {process for _, process in apart.values()}


@pytest.mark.parametrize("spread", [Here(), Processes(2)])
def test_what_fails_is_told_and_the_others_go_on(spread: Spread) -> None:
    backs = done(spread, fails_at_two)
    failure = backs.pop(2)
    assert isinstance(failure, Failure)
    assert failure.why == "ZeroDivisionError: two"
    assert "fails_at_two" in failure.trace
    assert backs == {i: i for i in range(8) if i != 2}


def test_a_process_that_dies_costs_its_own_piece_only() -> None:
    backs = done(Processes(2), dies_at_two)
    assert "killed" in backs.pop(2).why
    assert backs == {i: i for i in range(8) if i != 2}


@pytest.mark.parametrize("spread", [Here(), Processes(2)])
def test_a_full_disk_stops_all(spread: Spread) -> None:
    with pytest.raises(WriteError, match="No space left"):
        done(spread, meets_a_full_disk)


def test_without_ray_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"recfleet\[ray\]"):
        done(Cluster(None), shares)


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "ray://127.0.0.1:{}", "127.0.0.1:99999"])
def test_where_no_cluster_is_a_line_says_so_at_once(address: str) -> None:
    pytest.importorskip("ray")
    with socket.socket() as bound:  # and nobody listens there
        bound.bind(("127.0.0.1", 0))
        address = address.format(bound.getsockname()[1])
        began = time.monotonic()
        with pytest.raises(UserError, match=f"--address {address}: no Ray cluster answers"):
            done(Cluster(address), shares)
    assert time.monotonic() - began < 30


ORPHANS = """
import os, sys, time
from pathlib import Path
from simulator.spread import Processes

def stay(folder, piece):
    (folder / str(os.getpid())).touch()
    time.sleep(60)

list(Processes(2).each(stay, Path(sys.argv[1]), range(4)))
"""


def test_processes_end_when_the_one_that_started_them_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", ORPHANS, tmp_path])
    try:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    finally:
        parent.kill()
        parent.wait()
    workers = [int(path.name) for path in tmp_path.iterdir()]
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def wait_until(true: Any) -> None:
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.05)
