"""What a user meets who writes a scenario: it loads as written, or each mistake is named with its line and remedy."""

# ruff: noqa: E501  (complaints stand on one line, as the user sees them)

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scenarios.behaviour import save
from scenarios.datasets.interactions import read as read_interactions
from scenarios.errors import ScenarioError
from scenarios.load import LIBRARY, dump, find, load
from scenarios.schema import Scenario
from scenarios.schema.data import Imported, MomentSplit
from scenarios.schema.pretrained import PretrainedLlm
from scenarios.schema.recommenders import LocalLlm, LocalT5
from simulator.policies import AnyPolicy

Schema = Scenario[AnyPolicy]
KINDS = [family.model_fields["kind"].default for family in get_args(get_args(AnyPolicy)[0])]
HEAD = "version: 1\nname: test\nsweep:\n  policies:\n  - {kind: never}\n  - {kind: footrule, quantile: 0.5}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "s.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str, *overrides: str) -> list[str]:
    """The lines of the refusal, without the folder."""
    with pytest.raises(ScenarioError) as refused:
        load(write(folder, text), Schema, overrides)
    return str(refused.value).replace(f"{folder}/", "").splitlines()


MISTAKES = [
    # misspelt, misplaced and unknown keys
    ("network: {rtt_msec: 5}", "s.yaml:7: network.rtt_msec: unknown key; did you mean rtt_ms?"),
    ("cloud:\n  rtt_ms: 5", "s.yaml:8: cloud.rtt_ms: unknown key; did you mean network.rtt_ms?"),
    ("fusion: {zzz: 5}", "s.yaml:7: fusion.zzz: unknown key; expected one of over, alpha, raw, gate"),
    ("data: {pace: {kind: recorded, compresion: 2}}", "s.yaml:7: data.pace.compresion: unknown key; did you mean compression?"),
    # wrong types
    ("network: {rtt_ms: fast}", "s.yaml:7: network.rtt_ms: fast: expected a number"),
    ("network: {rtt_ms: '5'}", "s.yaml:7: network.rtt_ms: '5': expected a number"),
    ("cloud: {replicas: true}", "s.yaml:7: cloud.replicas: true: expected a whole number"),
    ("cloud: {replicas: 1.5}", "s.yaml:7: cloud.replicas: 1.5: expected a whole number, written without a point"),
    ("question: 5", "s.yaml:7: question: 5: expected text"),
    ("fleet: 5", "s.yaml:7: fleet: 5: expected a block of keys"),
    ("fleet:", "s.yaml:7: fleet: null: expected a block of keys"),
    ("cloud: {service: {milliseconds: {x: 1, 1: 3}}}", "s.yaml:7: cloud.service.milliseconds.x: x: expected a whole number"),
    # impossible values
    ("network: {rtt_ms: -5}", "s.yaml:7: network.rtt_ms: -5: expected a number at least 0"),
    ("network: {loss: 1}", "s.yaml:7: network.loss: 1: expected a number below 1"),
    ("network: {loss: .nan}", "s.yaml:7: network.loss: .nan: expected a finite number"),
    ("fleet: {timeout_s: 1e300}", "s.yaml:7: fleet.timeout_s: 1.0e+300: expected at most 1e+08 (three years)"),
    ("network:\n  rtt_ms: 1e20", "s.yaml:8: network.rtt_ms: 1.0e+20: expected at most 1e+11 (three years)"),
    ("network:\n  rtt_ms: 1e11\n  rtt_sigma: 3", "s.yaml:9: network.rtt_sigma: 3: expected an rtt_sigma of at most 0.41 where rtt_ms is 1e+11: the longest round trip would be more than 3e+12 ms (a century)"),
    ("cloud: {service: {milliseconds: {1: 3, 64: 1e20}}}", "s.yaml:7: cloud.service.milliseconds: 64: 1e+20: expected at most 1e+11 (three years)"),
    ("cloud: {batching: {max_size: 64}}", "s.yaml:7: cloud: service.milliseconds ends at batches of 32, but batching.max_size is 64"),
    ("cloud: {replicas: 2, crashes: [{kind: scheduled, replica: 2, from_s: 0, until_s: 1}]}", "s.yaml:7: cloud: crashes has one of replica 2, but replicas are 0 .. 1"),
    ("cloud: {brownouts: [{kind: scheduled, replica: 1, from_s: 0, until_s: 1}]}", "s.yaml:7: cloud: brownouts has one of replica 1, but replicas are 0 .. 0"),
    ("cloud: {batching: {kind: continuous}, service: {table: llama2-7b-a100, spread: {kind: exponential}}}", "s.yaml:7: cloud: service.spread is of a batch's time and says nothing where batching.kind is continuous; tokens.output_sigma spreads the work of that"),
    ("recommenders: {srm: {heads: 3}}", "s.yaml:7: recommenders.srm: width (64) must be a multiple of heads (3)"),
    # unions
    ("data: {source: {users: 5}}", "s.yaml:7: data.source: {users: 5}: has no key kind, expected imported, movielens-100k, movielens-1m or synthetic"),
    ("data:\n  source:\n    kind: movielens-10k", "s.yaml:9: data.source.kind: movielens-10k: expected movielens-100k, movielens-1m, imported or synthetic; did you mean movielens-100k?"),
    ("recommenders: {srm: {kind: sasrek}}", "s.yaml:7: recommenders.srm.kind: sasrek: expected sasrec, gru4rec, din or ttt4rec; did you mean sasrec?"),
    ("data: {split: {kind: moment, validation_from: soon}}", "s.yaml:7: data.split.validation_from: soon: expected a time stamp such as 2001-02-28 or 2001-02-28T12:30:00Z or a number"),
    ("data: {split: {kind: moment, validation_from: 1998-01-01}}", "s.yaml:7: data.split: validation_from and replay_from must both be time stamps or both be shares"),
    # what is referred to
    ("data: {source: {kind: imported, path: gone}}", "s.yaml:7: data.source.path: gone: no such folder, expected what `recfleet data import` wrote"),
    ("data: {source: {kind: imported, path: .}}", "s.yaml:7: data.source.path: .: not a data set, expected what `recfleet data import` wrote"),
    ("recommenders: {llm: {kind: local, path: gone}}", "s.yaml:7: recommenders.llm.path: gone: no such folder, expected a Hugging Face model"),
    ("recommenders: {llm: {kind: local_t5, path: gone}}", "s.yaml:7: recommenders.llm.path: gone: no such folder, expected a Hugging Face model"),
    ("recommenders: {llm: {kind: t5, beams: 20}}", "s.yaml:7: recommenders.llm.beams: 20: fewer than the 50 items of a list"),
    ("recommenders: {llm: {kind: t5, width: 30}}", "s.yaml:7: recommenders.llm: width (30) must be a multiple of heads (4)"),
    ("data: {source: {kind: movielens-1m, users: 7000}}", "s.yaml:7: data.source.users: 7000: the data set has 6040"),
    ("data: {source: {kind: synthetic, items: 20}}", "s.yaml:1: recommenders.list_length: 50: the data set has 20 items"),
    ("fleet: {catalogue: {kind: popular, items: 1683}}", "s.yaml:7: fleet.catalogue.items: 1683: the data set has 1682"),
    # YAML
    ("name: again", "s.yaml:7: key 'name' stands here a second time"),
    ("fleet:\n\tdevices: 3", "s.yaml:8: is not YAML: a tab, expected spaces (YAML is indented with spaces)"),
    ("fleet: [1", "s.yaml:8: is not YAML: expected ',' or ']', but got '<stream end>'"),
    ("fleet: *nothing", "s.yaml:7: is not YAML: found undefined alias 'nothing'"),
    ("fleet: &a {devices: *a}", "s.yaml:7: is not YAML: an alias to what surrounds it"),
    ("? [1]\n: 2", "s.yaml:7: is not YAML: a key must be plain text"),
    ("fleet: !!python/object:os.system {}", "s.yaml:7: is not YAML: the tag tag:yaml.org,2002:python/object:os.system"),
    ("seed: !!python/name:os.system", "s.yaml:7: is not YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/name:os.system'"),
]  # fmt: skip


@pytest.mark.parametrize(("block", "line"), MISTAKES, ids=[block.replace("\n", " ") for block, _ in MISTAKES])
def test_a_mistake_is_one_line(tmp_path: Path, block: str, line: str) -> None:
    assert refusal(tmp_path, HEAD + block + "\n") == [line.replace("path: .: not", f"path: {tmp_path}: not")]


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    policies = "[{kind: foot}, {kind: always, p: 1}, {kind: footrule}, {kind: footrule, quantile: [0.5, 2]}, 5]"
    assert refusal(tmp_path, f"version: 1\nname: A b\nsweep:\n  policies: {policies}\n") == [
        "s.yaml:2: name: A b: expected text that matches ^[a-z0-9][a-z0-9._-]*$",
        f"s.yaml:4: sweep.policies.0.kind: foot: expected {', '.join(KINDS[:-1])} or {KINDS[-1]}; did you mean footrule?",
        "s.yaml:4: sweep.policies.1.p: unknown key; expected one of kind",
        "s.yaml:4: sweep.policies.2: give either threshold or quantile",
        "s.yaml:4: sweep.policies.3.quantile.1: 2: expected a number at most 1",
        "s.yaml:4: sweep.policies.4: 5: expected a block of keys",
    ]


def test_what_is_no_scenario_at_all(tmp_path: Path) -> None:
    assert refusal(tmp_path, "") == ["s.yaml: is empty, expected a mapping of keys such as `version: 1`"]
    assert refusal(tmp_path, "- 1\n") == ["s.yaml: holds [1], expected a mapping of keys such as `version: 1`"]
    assert refusal(tmp_path, "version: 1\nname: x\n") == ["s.yaml:1: sweep: is missing, expected a block of keys"]
    assert refusal(tmp_path, HEAD.replace("version: 1\n", "")) == ["s.yaml:1: version: is missing, expected 1"]
    with pytest.raises(ScenarioError, match=r"gone\.yaml: no such file"):
        load(tmp_path / "gone.yaml", Schema)
    with pytest.raises(ScenarioError, match="cannot be read"):
        load(tmp_path, Schema)
    (tmp_path / "latin.yaml").write_bytes("name: é".encode("latin-1"))
    with pytest.raises(ScenarioError, match="is not UTF-8 text"):
        load(tmp_path / "latin.yaml", Schema)


def test_another_version_is_said_and_nothing_else(tmp_path: Path) -> None:
    assert refusal(tmp_path, "version: 2\nnew_things: 1\n") == ["s.yaml:1: version: 2: this recfleet reads version 1"]


def test_words_and_numbers_are_read_by_yaml_1_2(tmp_path: Path) -> None:
    scenario = load(write(tmp_path, HEAD + "question: no\nnetwork: {rtt_ms: 1e-3}\nseed: 010\n"), Schema)
    assert (scenario.question, scenario.network.rtt_ms, scenario.seed) == ("no", 0.001, 10)


def test_overrides(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + "cloud: {replicas: 2}\n")
    sets = [
        "cloud.replicas=4",
        "fleet.devices=7",
        "sweep.policies.1.quantile=[0.1, 0.2]",
        "data.source={kind: synthetic}",
    ]
    scenario = load(path, Schema, sets)
    assert (scenario.cloud.replicas, scenario.fleet.devices, scenario.data.source.kind) == (4, 7, "synthetic")
    assert scenario.sweep.policies[1].model_dump()["quantile"] == (0.1, 0.2)
    assert load(path, Schema).cloud.replicas == 2


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("cloud.replicas=x", "cloud.replicas: x: expected a whole number"),
        ("cloud.replica=4", "cloud.replica: unknown key; did you mean replicas?"),
        ("cloud.batching={max_siz: 4}", "cloud.batching.max_siz: unknown key; did you mean max_size?"),
        ("sweep.policies.2.kind=never", "sweep.policies has 2 entries, '2' is none of 0 .. 1"),
        ("name.x=1", "name is test, which has no keys"),
        ("cloud.replicas", "expected KEY=VALUE, such as cloud.replicas=4"),
        ("cloud.replicas=[1", "is not YAML: expected ',' or ']', but got '<stream end>'"),
        ("version=3", "version: 3: this recfleet reads version 1"),
    ],
)
def test_overrides_that_do_not_fit(tmp_path: Path, assignment: str, complaint: str) -> None:
    assert refusal(tmp_path, HEAD, assignment) == [f"--set {assignment}: {complaint}"]


@pytest.mark.parametrize("kind", ["local", "local_t5"])
def test_paths_are_relative_to_the_file(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.csv").write_text("user_id,item_id,timestamp\n" + "".join(f"1,{n},{n}\n" for n in range(60)))
    save(read_interactions(tmp_path / "x.csv"), tmp_path / "mine")
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").touch()
    (model / "model.safetensors").touch()
    text = f"{HEAD}data: {{source: {{kind: imported, path: mine}}}}\n"
    text += f"recommenders: {{llm: {{kind: {kind}, path: ./model}}}}\n"
    path = write(tmp_path, text)
    monkeypatch.chdir("/")
    scenario = load(path, Schema)
    assert isinstance(scenario.data.source, Imported)
    assert scenario.data.source.path == tmp_path / "mine"
    assert isinstance(scenario.recommenders.llm, LocalLlm | LocalT5)
    assert scenario.recommenders.llm.path == model
    elsewhere = tmp_path / "results"
    elsewhere.mkdir()
    assert load(write(elsewhere, dump(scenario)), Schema) == scenario
    (model / "config.json").unlink()
    assert refusal(tmp_path, text)[0].endswith("model: lacks config.json, expected a Hugging Face model")
    assert refusal(tmp_path, text.replace("mine}", "mine, users: 2}"))[-1].endswith("users: 2: the data set has 1")


@pytest.mark.parametrize(
    ("model", "meant"),
    [
        ("smollm2-135m", "smollm2-135m"),
        ("owner/model", "owner/model"),
        ("./mine", "{folder}/mine"),
        ("mine", "{folder}/mine"),
        ("./gone", "./gone: no such folder, expected a Hugging Face model"),
    ],
)
def test_a_pretrained_model_is_a_folder_where_there_is_one(tmp_path: Path, model: str, meant: str) -> None:
    (tmp_path / "mine").mkdir()
    text = f"{HEAD}recommenders: {{llm: {{kind: pretrained, model: {model}}}}}\n"
    if "no such" in meant:
        assert refusal(tmp_path, text)[0].endswith("gone: no such folder, expected a Hugging Face model")
        return
    llm = load(write(tmp_path, text), Schema).recommenders.llm
    assert isinstance(llm, PretrainedLlm)
    assert Path(llm.model) == Path(meant.format(folder=tmp_path))


def leaves(node: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(node, dict) and path[-1:] not in (("milliseconds",), ("options",)):
        return [leaf for key, inside in node.items() for leaf in leaves(inside, (*path, key))]
    return [path]


WHOLE = yaml.safe_load(dump(load(LIBRARY / "quickstart.yaml", Schema, ["sweep.policies=[{kind: always}]"])))
KEYS = [leaf for leaf in leaves(WHOLE) if leaf[0] not in ("sweep", "version") and leaf[-1] != "kind"]


@given(st.sampled_from(KEYS), st.integers(0, 50))
def test_any_key_misspelt_is_found(tmp_path_factory: pytest.TempPathFactory, key: tuple[str, ...], at: int) -> None:
    last = key[-1]
    at %= len(last)
    misspelt = last[:at] + "x" + last[at:]
    data = yaml.safe_load(yaml.safe_dump(WHOLE))
    node = data
    for part in key[:-1]:
        node = node[part]
    node[misspelt] = node.pop(last)
    lines = refusal(tmp_path_factory.mktemp("misspelt"), yaml.safe_dump(data))
    complaint = next(line for line in lines if "unknown key" in line)
    assert complaint.endswith(f"{'.'.join([*key[:-1], misspelt])}: unknown key; did you mean {last}?")


values: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "question": st.text(max_size=30),
        "seed": st.integers(0, 2**63 - 1),
        "network": st.fixed_dictionaries({}, optional={"rtt_ms": st.floats(0, 1e6), "uplink_mbps": st.none() | st.floats(1e-9, 1e9)}),
        "cloud": st.fixed_dictionaries({}, optional={"queue_limit": st.none() | st.integers(0, 9), "usd_per_gpu_hour": st.floats(0, 9)}),
        "fleet": st.fixed_dictionaries({}, optional={"waiting": st.just({"kind": "blocking", "deadline_ms": 5.0})}),
        "data": st.fixed_dictionaries(
            {},
            optional={
                "source": st.just({"kind": "synthetic", "users": 5}),
                "split": st.datetimes(timezones=st.just(UTC), max_value=datetime(2100, 1, 1)).map(
                    lambda moment: {"kind": "moment", "validation_from": moment, "replay_from": datetime(2101, 1, 1, tzinfo=UTC)}
                ),
                "pace": st.just({"kind": "recorded", "longest_gap_s": 1e-3}),
            },
        ),
    },
)  # fmt: skip


@given(values)
def test_dump_loads_back(tmp_path_factory: pytest.TempPathFactory, blocks: dict[str, Any]) -> None:
    scenario = Schema.model_validate({"version": 1, "name": "x", "sweep": {"policies": [{"kind": "never"}]}, **blocks})
    assert load(write(tmp_path_factory.mktemp("dumped"), dump(scenario)), Schema) == scenario


def test_time_stamps_without_a_zone_are_utc(tmp_path: Path) -> None:
    block = "data: {split: {kind: moment, validation_from: 1998-01-01, replay_from: 1998-02-01T02:00:00+02:00}}\n"
    split = load(write(tmp_path, HEAD + block), Schema).data.split
    assert isinstance(split, MomentSplit)
    assert split.validation_from == datetime(1998, 1, 1, tzinfo=UTC)
    assert split.replay_from == datetime(1998, 2, 1, tzinfo=UTC)


def test_merged_keys_may_be_overwritten(tmp_path: Path) -> None:
    text = HEAD.replace("{kind: never}", "&base {kind: footrule, quantile: 0.1}") + "  - {<<: *base, quantile: 0.2}\n"
    scenario = load(write(tmp_path, text), Schema)
    assert scenario.sweep.policies[2].model_dump()["quantile"] == (0.2,)


def test_library_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find("quickstart") == LIBRARY / "quickstart.yaml"
    (tmp_path / "quickstart").touch()
    assert find("quickstart") == Path("quickstart")
    with pytest.raises(ScenarioError, match=r"quickstat: no such file, and none of .*: .*busy-cloud, cloud-only, "):
        load("quickstat", Schema)
