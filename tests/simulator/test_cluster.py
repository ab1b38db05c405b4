"""A sweep on a real cluster of two nodes gives what one process gives."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small import written

from simulator.experiment import read, run
from simulator.spread import Cluster, Here

ray = pytest.importorskip("ray")


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes of one core each, with a cache of their own: nothing is there but what is sent."""
    from ray.cluster_utils import Cluster as Nodes

    monkeypatch.setenv("RECFLEET_CACHE", str(tmp_path / "of-nodes"))
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nodes = Nodes()
        try:
            for _ in range(2):
                nodes.add_node(num_cpus=1, object_store_memory=80_000_000, include_dashboard=False)
            nodes.wait_for_nodes()
            yield nodes
        finally:
            ray.shutdown()
            nodes.shutdown()


def test_two_nodes_give_what_one_process_gives(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECFLEET_CACHE", str(tmp_path / "of-driver"))
    policies = {"kind": "never"}, {"kind": "footrule", "quantile": [0.5]}, {"kind": "always"}
    path = written(tmp_path / "small.yaml", *policies, replications=1)
    run(read(path), out=tmp_path / "here", spread=Here())
    monkeypatch.setattr("simulator.sweep.TOGETHER", 8)  # so that outcomes too are made there
    monkeypatch.setenv("RECFLEET_CACHE", str(tmp_path / "of-driver-of-nodes"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ray's own
        run(read(path), out=tmp_path / "there", spread=Cluster(cluster.address))
    for name in ("summary.json", "curve.csv"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
    for cell in (tmp_path / "here" / "cells").iterdir():
        for file in cell.iterdir():
            assert file.read_bytes() == (tmp_path / "there" / "cells" / cell.name / file.name).read_bytes()
    assert list((tmp_path / "of-nodes" / "weights").glob("*.safetensors"))
