"""`recfleet calibrate`: what it writes is a table like those that come with recfleet, and a cloud works by it."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM

from models import training
from scenarios.service_times import Table, names, table
from simulator.commands import main
from simulator.experiment import read, run

module = importlib.import_module("scenarios.service_times.table")  # its function has taken its name

SCENARIO = """
version: 1
name: small
data: {source: {kind: synthetic, users: 30, items: 60, interactions_per_user: 20}}
recommenders:
  srm: {kind: gru4rec, width: 8, layers: 1, heads: 1, training: {epochs: 1}}
  llm: {kind: causal, width: 8, layers: 1, heads: 1, training: {epochs: 1}}
  list_length: 20
cloud: {batching: {max_size: 4}}
sweep: {replications: 1, policies: [{kind: always}]}
"""


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECFLEET_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    return path


def calibrate(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", *map(str, arguments), "--quiet"])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_cloud_works_by_the_table_that_was_measured(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf = tmp_path / "service_times"
    shelf.mkdir()
    for each in names():
        (shelf / f"{each}.yaml").write_text((module.FOLDER / f"{each}.yaml").read_text())
    with monkeypatch.context() as patched:
        patched.setattr(training, "train", None)  # whoever trains fails
        assert calibrate(scenario, "--batch-sizes", "4,1", "--histories", "5,3", "--out", shelf / "mine.yaml") == 0
    monkeypatch.setattr(module, "FOLDER", shelf)
    for cached in (names, table):
        cached.cache_clear()
    try:
        measured = table("mine")
        assert list(measured.milliseconds) == [1, 4]
        assert measured.by == "batch"
        given = read(scenario, ["cloud.service.table=mine", "cloud.batching.max_size=1"])
        run(given, out=tmp_path / "out")
    finally:
        for cached in (names, table):
            cached.cache_clear()
    requests = pd.read_parquet(next((tmp_path / "out" / "cells").glob("*/requests.parquet")))
    served = requests["gpu_s"][requests["status"] == "answered"]
    assert len(served) > 100
    assert 1000 * served.to_numpy() == pytest.approx(measured.milliseconds[1], abs=1e-5)
    shown = capsys.readouterr().out
    (line,) = [line for line in shown.splitlines() if line.startswith("In a scenario:")]
    inline = line.partition("milliseconds: {")[2].partition("}")[0]
    assert read(scenario, [f"cloud.service={{milliseconds: {{{inline}}}}}"]).cloud.service.milliseconds == {
        batch: pytest.approx(ms, rel=1e-3) for batch, ms in measured.milliseconds.items()
    }


def test_it_says_what_was_measured_where_when_and_how(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.yaml"
    assert calibrate(scenario, "--batch-sizes", "1,2", "--histories", "3,5", "--out", out) == 0
    lines = out.read_text().splitlines()
    head = [line for line in lines if line.startswith("#")]
    assert "thread" in head[0]
    assert "float32" in head[0]
    assert pd.Timestamp.today().strftime("%Y-%m") in head[0]
    assert head[1].split() == ["#", "batch", "3", "items", "5", "items"]
    grid = {int(row[1]): [float(cell) for cell in row[2:]] for row in (line.split() for line in head[2:])}
    made = Table.model_validate(yaml.safe_load(out.read_text()))
    assert made.milliseconds == {batch: row[1] for batch, row in grid.items()}  # of the longer history
    assert all(value > 0 for row in grid.values() for value in row)
    assert "small, kind causal" in made.model
    assert "60 items" in made.model
    assert "lists of 20 for histories of 5 items" in made.derivation


def test_a_folder_of_a_language_model_is_measured_by_its_tokens(scenario: Path, tmp_path: Path) -> None:
    config = LlamaConfig(
        vocab_size=70, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
        max_position_embeddings=16,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path / "llm")
    out = tmp_path / "mine.yaml"
    assert calibrate(tmp_path / "llm", "--batch-sizes", "1", "--histories", "3,100", "--out", out) == 0
    assert "the folder llm" in out.read_text()
    assert "70 items" in out.read_text()


def test_what_cannot_be_read_is_one_line(scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mine.yaml"

    def refused(said: str, *arguments: object) -> None:
        assert calibrate(*arguments) == 2
        error = capsys.readouterr().err.strip()
        assert said in error
        assert "Traceback" not in error
        assert len([line for line in error.splitlines() if line.startswith(("recfleet:", "Error:"))]) == 1
        assert not out.exists()

    refused("no such file, and none of the scenarios", "nowhere")
    refused("expected 1 among them", scenario, "--batch-sizes", "2,4", "--out", out)
    for wrong in ("0,1", "1,x", "1.5", ""):
        refused("expected whole numbers above 0", scenario, "--batch-sizes", wrong, "--out", out)
    refused("expected a name that ends in .yaml", scenario, "--out", tmp_path / "mine.txt")
    alone = tmp_path / "alone.yaml"
    llm = next(line for line in SCENARIO.splitlines() if line.startswith("  llm:"))
    alone.write_text(SCENARIO.replace(llm, "  llm: null\n  generator: {kind: duet}"))
    refused("recommenders.llm: the scenario has none", alone, "--out", out)
    folder = tmp_path / "folder"
    folder.mkdir()
    refused("holds no config.json", folder, "--out", out)
    for config in ("{", "[]", "{}", json.dumps({"vocab_size": "many"})):
        (folder / "config.json").write_text(config)
        refused("no configuration of a causal language model", folder, "--out", out)
    small = BertConfig(
        vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )  # fmt: skip
    BertModel(small).save_pretrained(tmp_path / "encoder")
    refused("do not fit its config.json", tmp_path / "encoder", "--out", out)


def test_a_pickle_is_not_opened(scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "sprung",)

    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": 9}))
    torch.save({"model.embed_tokens.weight": Trap()}, folder / "pytorch_model.bin")
    assert calibrate(folder) == 2
    assert "holds no safetensors" in capsys.readouterr().err
    assert not (tmp_path / "sprung").exists()
