"""`recfleet evaluate` from the command line to the table, on data that take a second to learn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from models import training
from scenarios.behaviour import save
from scenarios.datasets.synthetic import generate
from scenarios.schema.data import Synthetic
from scenarios.schema.stages import MergeNet
from simulator.commands import main
from simulator.commands.contest import contestants, named
from simulator.commands.evaluate import _read
from simulator.experiment import read, run

SMALL: dict[str, Any] = {
    "version": 1,
    "name": "small",
    "data": {"source": {"kind": "synthetic", "users": 30, "items": 60, "interactions_per_user": 20}},
    "recommenders": {
        "srm": {"kind": "gru4rec", "width": 8, "layers": 1, "heads": 1, "training": {"epochs": 1}},
        "llm": {"kind": "causal", "width": 8, "layers": 1, "heads": 1, "training": {"epochs": 1}},
        "list_length": 60,
    },
    "fleet": {"catalogue": {"kind": "all"}},
    "sweep": {"replications": 1, "policies": [{"kind": "never"}]},
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFLEET_CACHE", str(folder))
        yield folder


@pytest.fixture
def scenario(tmp_path: Path, cache: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


def evaluate(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *map(str, arguments), "--quiet"])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_models_lie_side_by_side_and_are_trained_once(
    scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (scenario, "--models", "gru4rec,sasrec,llm", "--seeds", 2, "--out", tmp_path / "out")
    assert evaluate(*asked) == 0
    table = pd.read_csv(tmp_path / "out" / "table.csv")
    assert table["model"].tolist() == ["gru4rec", "sasrec", "causal"]
    assert (table["trainings"] == 2).all()
    assert (table["targets"] == 30).all()  # the last item of each user
    assert (table["hr_at_20_low"] < table["hr_at_20"]).all()
    assert (table["hr_at_5"] <= table["hr_at_20"]).all()
    assert f"{table['ndcg_at_10'][2]:.4f}" in capsys.readouterr().out
    assert read(tmp_path / "out" / "scenario.yaml").data.split.kind == "last"

    monkeypatch.setattr(training, "train", None)  # whoever trains again fails
    assert evaluate(*asked) == 0
    clock = ["milliseconds", "training_s"]
    again = pd.read_csv(tmp_path / "out" / "table.csv")
    pd.testing.assert_frame_equal(table.drop(columns=clock), again.drop(columns=clock))


def test_on_replay_a_device_alone_is_as_good_as_its_model_says(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = run(read(scenario), out=tmp_path / "run").curve.iloc[0]
    monkeypatch.setattr(training, "train", None)
    assert evaluate(scenario, "--protocol", "replay", "--out", tmp_path / "out") == 0
    row = pd.read_csv(tmp_path / "out" / "table.csv").iloc[0]
    assert (row["hr_at_10"], row["ndcg_at_10"]) == pytest.approx((ran["hr_at_10"], ran["ndcg_at_10"]))
    # Devices come out as users do: the same interval over them.
    assert row["ndcg_at_10_high"] == pytest.approx(ran["ndcg_at_10_high"])


def test_stages_stand_beside_their_control(scenario: Path, tmp_path: Path) -> None:
    names = "gru4rec,gru4rec+retraining,gru4rec+cooperative"
    asked = ("--protocol", "replay", "--models", names, "--seeds", 2, "--lists", "--out", tmp_path / "out")
    assert evaluate(scenario, *asked) == 0
    table = pd.read_csv(tmp_path / "out" / "table.csv")
    assert table["model"].tolist() == names.split(",")
    assert table["gain"].isna().tolist() == [True, False, False]
    assert table["gain"][1] == pytest.approx(table["ndcg_at_10"][1] - table["ndcg_at_10"][0])
    assert table["list_gain"][2] == pytest.approx(table["list_ndcg_at_10"][2] - table["list_ndcg_at_10"][0])
    assert (table["gain"][1:] != 0).all()


def test_what_is_generated_and_what_devices_learn_stand_beside_the_static_model(scenario: Path, tmp_path: Path) -> None:
    names = "gru4rec,duet,gru4rec+bias"
    asked = ("--protocol", "replay", "--models", names, "--lists", "--out", tmp_path / "out")
    assert evaluate(scenario, *asked, "--set", "recommenders.srm.training.learning_rate=0.02") == 0
    table = pd.read_csv(tmp_path / "out" / "table.csv").set_index("model")
    assert table.index.tolist() == names.split(",")
    assert (table["gain"][1:] != 0).all()
    assert (table["list_gain"][1:] != 0).all()
    assert table["parameters"]["duet"] > table["parameters"]["gru4rec"] == table["parameters"]["gru4rec+bias"]
    more = table["state_bytes"] - table["state_bytes"]["gru4rec"]
    assert more["duet"] == 4 * 2 * (8 * 8 + 8)  # the head that was sent
    # A bias and its gradient; of each of 50 items its id, its vector and the state before it.
    assert more["gru4rec+bias"] == 4 * (2 * 8 + 50 * (1 + 8 + 8))


def test_fresh_lists_are_those_of_devices_that_always_ask_and_wait(scenario: Path, tmp_path: Path) -> None:
    asked = ["sweep.policies=[{kind: always}]", "fleet.waiting={kind: blocking, deadline_ms: 60000}"]
    ran = run(read(scenario, asked), out=tmp_path / "run").curve.iloc[0]
    assert evaluate(scenario, "--protocol", "replay", "--models", "gru4rec", "--lists", "--out", tmp_path / "out") == 0
    row = pd.read_csv(tmp_path / "out" / "table.csv").iloc[0]
    assert row["list_ndcg_at_10"] == pytest.approx(ran["ndcg_at_10"])


@pytest.mark.parametrize(
    "asked", [["--models", name] for name in ("sasrec+bert", "duet+bias", "sasrec+mergenet:all")] + [["--lists"]]
)
def test_unknown_stages_and_lists_of_no_replay_are_refused(scenario: Path, tmp_path: Path, asked: list[str]) -> None:
    assert evaluate(scenario, *asked, "--out", tmp_path / "out") == 2
    assert not (tmp_path / "out").exists()


def test_an_unknown_model_is_one_line(scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(scenario, "--models", "sasrec,bert", "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "'bert'" in said
    assert "gru4rec" in said
    assert not (tmp_path / "out").exists()


def test_data_may_be_named_instead_of_a_scenario(tmp_path: Path) -> None:
    folder = tmp_path / 'my "own" data'
    save(generate(Synthetic(users=12, items=60, interactions_per_user=10), 0), folder)
    assert json.loads(_read(str(folder), []).data.source.model_dump_json())["path"] == str(folder)
    assert _read("movielens-100k", []).data.source.kind == "movielens-100k"
    assert _read("movielens-1m", []).recommenders.srm.training.batch_size == 128  # of the scenario of that name
    assert _read("quickstart", ["recommenders.srm.width=32"]).recommenders.srm.width == 32


def test_mergenet_is_never_told_of_without_its_controls(scenario: Path) -> None:
    """Noise for the cloud's weights, and plain training, over which all else is told."""
    merged = read(scenario, ["recommenders.srm.stages=[{kind: mergenet, rank: 2}]"])
    names = named(merged, None)
    assert names == ["gru4rec+mergenet:none", "gru4rec+mergenet", "gru4rec+mergenet:noise", "llm"]
    stages = [contestants(merged, name, 1)[0].models.srm.stages for name in names[:3]]
    assert [(stage.source, stage.rank) for (stage,) in stages if isinstance(stage, MergeNet)] == [
        ("none", 2), ("llm", 2), ("noise", 2),
    ]  # fmt: skip
    assert named(read(scenario), None) == ["gru4rec", "llm"]
    assert named(merged, "gru4rec+mergenet") == names[:3]
    assert named(merged, "din,din+mergenet") == ["din", "din+mergenet", "din+mergenet:noise"]
    asked = "gru4rec,gru4rec+mergenet:noise,gru4rec+mergenet"
    assert named(merged, asked) == asked.split(",")
    assert named(merged, "din,gru4rec+retraining+mergenet") == [
        "din", "gru4rec+retraining+mergenet:none", "gru4rec+retraining+mergenet", "gru4rec+retraining+mergenet:noise"
    ]  # fmt: skip


def test_settings_of_one_kind_are_not_given_to_another(scenario: Path) -> None:
    din = read(scenario, ["recommenders.srm.kind=din", "recommenders.srm.options={negatives: 8}"])
    made = [contestants(din, name, 1)[0].models.srm.options for name in ("din", "sasrec")]
    assert made == [{"negatives": 8}, {}]
    (noise,) = contestants(din, "din+mergenet:noise", 1)
    assert [getattr(stage, "source", None) for stage in noise.models.srm.stages] == ["noise"]
    llms = [one.models.llm for one in contestants(din, "llm", 3)]
    assert [llm.training.seed for llm in llms if llm is not None] == [0, 1, 2]


def test_each_training_has_a_seed_of_its_own_in_every_part(scenario: Path) -> None:
    """The first model, each of its stages, and a generator: paired trainings differ in all that is drawn."""
    asked = read(scenario, ["recommenders.srm.stages=[{kind: retraining, training: {seed: 5}}]"])
    taught = [one.models.srm for one in contestants(asked, "gru4rec+retraining+cooperative", 3)]
    assert [srm.training.seed for srm in taught] == [0, 1, 2]
    assert [[stage.training.seed for stage in srm.stages] for srm in taught] == [[5, 0], [6, 1], [7, 2]]
    heads = [one.models.generator for one in contestants(asked, "solid", 3)]
    assert [each.training.seed for each in heads if each is not None] == [0, 1, 2]
