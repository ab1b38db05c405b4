"""Every key of a scenario counts: to change it changes something that comes out.

The schema is walked (`keys`); a key that has no witness (`witnesses`) makes this fail, and so does one whose values all
come to the same. Compared is what comes out where the key acts: the streams, what the models say, the tables, books and
bill of a run, or how a run is judged; never the scenario itself or a hash of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import small_llama
from keys import Document, Key, Step, keys
from small_t5 import network, tokenizer
from witnesses import TWINS, WITHOUT_EFFECT, Witness, base, name_of, typical, witnesses
from worlds import HashOutcomes, footrules

from analysis.summary import latency
from models import srms, text
from models.llms import causal
from models.llms.item_codes import FIRST
from models.llms.local_t5 import CODES
from models.prepare import prepare, refreshed
from scenarios.behaviour import Behaviour, save
from scenarios.datasets import folder as published_folder
from scenarios.datasets import obtain
from scenarios.datasets.synthetic import generate
from scenarios.population import Population
from scenarios.schema import Scenario
from scenarios.schema.base import Block
from scenarios.schema.cloud import Cloud
from scenarios.schema.data import Synthetic
from scenarios.schema.pushes import Pushes
from scenarios.schema.recommenders import CausalLlm
from scenarios.split import split
from simulator.cells import replication_seed
from simulator.plan import KEEPS, broken
from simulator.policies import AnyPolicy
from simulator.pushes import learned_from
from simulator.rehearse import rehearse
from simulator.run import run
from simulator.world import World

AnyScenario = Scenario[AnyPolicy]
KEYS = {key.path: key for key in keys(AnyScenario)}
NAMES = [path for path in KEYS if name_of(path) not in WITHOUT_EFFECT]


def of_titles(behaviour: Behaviour, announce: object) -> npt.NDArray[np.float32]:
    """What a model that reads titles might say of them."""
    return np.random.default_rng(0).normal(size=(behaviour.n_items, 6)).astype(np.float32)


def words(behaviour: Behaviour) -> list[str]:
    """Titles of two words that a small language model knows."""
    known = small_llama.WORDS[2:]
    return [f"{known[item % 8]} {known[item // 8 % 8]}" for item in range(behaviour.n_items)]


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with what scenarios may refer to, and a cache that has two published sets, made up."""
    folder = tmp_path_factory.mktemp("keys")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFLEET_CACHE", str(folder / "cache"))
        patch.setattr(text, "title_vectors", of_titles)
        patch.setattr(text, "described", words)
        small = Synthetic(users=12, items=40, interactions_per_user=15)
        places = [published_folder(f"movielens-{size}") for size in ("100k", "1m")]
        for seed, place in enumerate([*places, folder / "imported", folder / "imported-too"]):
            save(generate(small, seed), place)
        for name in "ab":
            (folder / f"{name}.csv").write_text(f"time_s,rtt_ms\n0,10\n1,{20 + ord(name)}\n3,200\n")
        for seed, name in enumerate(("llama-a", "llama-b")):
            causal.torch.manual_seed(seed)
            causal.build(40, CausalLlm(width=8, layers=1, heads=2, window=8)).network.save_pretrained(folder / name)
            small_llama.write(folder / f"words-{'ab'[seed]}", seed)
            tokenizer().save_pretrained(folder / f"t5-{'ab'[seed]}")
            network(160, seed).float().save_pretrained(folder / f"t5-{'ab'[seed]}")
            codes = [[FIRST + item // 8, 10 + item % 8] for item in range(40)]
            (folder / f"t5-{'ab'[seed]}" / CODES).write_text(json.dumps(codes))
        yield folder
        outcome.cache_clear()


def scenario(folder: Path, *settings: tuple[Key, Any]) -> AnyScenario:
    """The base with these keys set, as a file would set them; a policy of one value where none is set."""
    document: Document = base()
    for key, value in settings:
        key.put(document, value, typical(folder))
    return AnyScenario.model_validate(document)


def digest(*parts: Any) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return found.hexdigest()


def streams(spec: AnyScenario) -> Population:
    """What is replayed."""
    return split(obtain(spec.data.source, Path(), spec.seed, print, False), spec.data.split)


def of_streams(spec: AnyScenario) -> str:
    """What comes out of `data.source` and `data.split`."""
    found = streams(spec)
    data = found.behaviour
    return digest(data.offsets, data.items, data.times, found.history_end, found.replay_from)


def of_models(spec: AnyScenario) -> str:
    """What comes out of `recommenders`, `fusion`, `fleet.catalogue`, `fleet.adaptation`, and the stages of
    `fleet.pushes`: ranks, signals, facts."""
    fleet, signals = spec.fleet, ("footrule",)
    models = prepare(
        streams(spec), spec.recommenders, fleet.catalogue, spec.fusion, signals, print, False, fleet.adaptation
    )
    if isinstance(fleet.pushes, Pushes):
        # Of weights that know half of what is replayed; a device goes over to them at once.
        population = models.population
        half = replace(population, replay_from=population.replay_from + population.steps // 2)
        pushed = refreshed(models, fleet.pushes, [half])
        models = replace(models, srm_key=pushed.pushed[0], key=pushed.name)
    users = models.population.replayed
    steps = models.population.steps[users]
    ranks = [models.outcomes.ranks(users, np.full_like(users, cut), users * 0, steps) for cut in (-1, 0)]
    signals = [models.outcomes.signal("footrule", user, 0, 0, n) for user, n in zip(users.tolist(), steps, strict=True)]
    facts = {name: value for name, value in models.facts.items() if name != "precision"}
    for model in {"srm", "llm", "generator"} & facts.keys():
        facts[model] = {name: value for name, value in facts[model].items() if name not in ("weights", "kind")}
    return digest(*ranks, *(signal.astype(np.float64) for signal in signals), facts)


OF_PUSHES = "fleet.pushes[scheduled].stages"


class Outcomes(HashOutcomes):
    """Made-up outcomes, with signals of all names; about 0 but for the footrule, which is not negative."""

    def signal(self, name: str, user: int, cut: int, start: int, stop: int) -> npt.NDArray[np.float32]:
        return footrules(user + len(name), cut, np.arange(start, stop)) - np.float32(5 * (name != "footrule"))


def reference(signal: str, /, *, of_replay: bool = False) -> npt.NDArray[np.float64]:
    return np.sort(Outcomes(np.full(1, 100)).signal(signal, int(of_replay), 0, 0, 100)).astype(np.float64)


def of_runs(spec: AnyScenario) -> str:
    """What comes out of everything else: tables, books and bill of each point and replication, on made-up outcomes."""
    lengths = np.full(10, 12)
    stamps = np.cumsum(np.random.default_rng(1).exponential(0.5, lengths.sum()))
    world = World(
        pace=spec.data.pace,
        fleet=spec.fleet,
        network=spec.network,
        cloud=spec.cloud,
        users=np.arange(10),
        steps=lengths,
        first=np.cumsum(lengths) - lengths,
        stamps=stamps,
        answer_items=20,
        histories=np.arange(10) * 3 % 7,
        push_bytes=4000,
        all_users=len(lengths),
    )
    found: list[Any] = []
    if isinstance(spec.fleet.pushes, Pushes):
        found += learned_from(world, spec.fleet.pushes, [spec.seed])
        lengths = np.tile(lengths, 1 + spec.fleet.pushes.count)
    for point in (point for family in spec.sweep.policies for point in family.points(reference)):
        for replication in range(spec.sweep.replications):
            seed = replication_seed(spec.seed, replication)
            made = run(world, point.policy, seed, rehearse(world, [point.policy], seed, Outcomes(lengths)))
            tables = [made.requests, made.devices.drop(columns=["access", "region"])]  # those only say what was drawn
            found += [table.select_dtypes("number").to_numpy(np.float64) for table in tables]
            found += [latency(made.asked, spec.sweep.warm_up_s)]
            found += [made.requests["status"].tolist(), made.duration_s, made.busy_s, made.usd, asdict(made.ledger)]
    return digest(*found)


def of_judgement(spec: AnyScenario) -> str:
    """What comes out of `objective`: the parts that a run leaves of which everything measured is a half."""
    measured = pd.DataFrame({column: [0.5] for column, _ in KEEPS.values()})
    return digest(broken(measured, spec.objective))


@cache
def outcome(path: str, text: str) -> str:
    """What comes out of a scenario where a key acts."""
    spec = AnyScenario.model_validate_json(text)
    if path.startswith(("data.source", "data.split")):
        return of_streams(spec)
    if path.startswith(("recommenders", "fusion", "fleet.catalogue", "fleet.adaptation", OF_PUSHES)):
        return of_models(spec)
    return of_judgement(spec) if path == "objective" else of_runs(spec)


def level(path: str) -> str:
    """The part of the house in which a key acts, so that worlds without a change are run once."""
    of = ("data.source", "data.split", "recommenders", "fusion", "fleet.catalogue", "fleet.adaptation", "objective")
    return next((part for part in (*of, OF_PUSHES) if path.startswith(part)), "")


def demand_witness(path: str, known: dict[str, Witness]) -> Witness:
    name = name_of(path)
    assert name in known, f"the key {path} has no witness that it counts: tests/simulator/witnesses.py needs {name!r}"
    return known[name]


def neighbour(path: str, given: str) -> str:
    """A key that a witness names, where the witness speaks for a key somewhere else (`witnesses.ALIKE`)."""
    name = name_of(path)
    rest = next((n for n in range(len(name)) if path.endswith(name[n:])), len(name))  # where both begin to be the same
    moved = path.removesuffix(name[rest:]) + given[rest:]
    return moved if given.startswith(name[:rest]) and moved in KEYS else given


def outcomes_of(path: str, witness: Witness, folder: Path) -> dict[str, str]:
    """Value -> what comes out."""
    key = KEYS[neighbour(path, witness.at) if witness.at else path]
    given = [(KEYS[neighbour(path, name)], value) for name, value in witness.given.items()]
    values = witness.tried or key.choices
    assert len(values) > 1, f"the witness of {path} needs two values"
    found = {}
    for value in values:
        label = str(value.kind) if isinstance(value, Step) else str(value)
        found[label] = outcome(level(path), scenario(folder, *given, (key, value)).model_dump_json())
    return found


@pytest.mark.parametrize("path", NAMES)
def test_every_key_changes_something(path: str, laid: Path) -> None:
    found = outcomes_of(path, demand_witness(path, witnesses(laid)), laid)
    pairs = (pair for pair in combinations(found, 2) if pair != TWINS.get(path))
    alike = [f"{a} and {b}" for a, b in pairs if found[a] == found[b]]
    assert not alike, f"{path}: nothing tells {'; '.join(alike)}"


@pytest.mark.parametrize("path", ["name", "question"])
def test_labels_change_nothing(path: str, laid: Path) -> None:
    one, two = outcomes_of(path, Witness(("one", "two")), laid).values()
    assert one == two


def test_no_witness_speaks_for_a_key_that_is_gone(laid: Path) -> None:
    assert set(witnesses(laid)) == {name_of(path) for path in NAMES}
    assert set(WITHOUT_EFFECT) <= set(KEYS)


def test_a_new_key_without_a_witness_is_named(laid: Path) -> None:
    class Insurance(Block):
        premium: float = 1.0

    class Wider(Cloud):
        insurances: tuple[Insurance, ...] = ()

    new = [key.path for key in keys(Wider, at="cloud") if key.path not in KEYS]
    assert new == ["cloud.insurances", "cloud.insurances[].premium"]
    with pytest.raises(AssertionError, match=r"the key cloud.insurances\[\].premium has no witness"):
        demand_witness(new[1], witnesses(laid))


OPTIONS = {
    "din.negatives": 4,
    "ttt4rec.inner": "mlp",
    "ttt4rec.inner_batch": 2,
    "ttt4rec.updates": False,
    "ttt4rec.updates_at_test": False,
    "ttt4rec.fast_weights": "persist",
}
"""Another value than the one that the option has where it is not given."""


@pytest.mark.parametrize("kind", KEYS["recommenders.srm.kind"].choices)
def test_every_option_of_a_device_model_changes_something(kind: str, laid: Path) -> None:
    model = srms.build(
        20, AnyScenario.model_validate(base() | {"recommenders": {"srm": {"kind": kind}}}).recommenders.srm
    )
    for option in model.OPTIONS:
        other = Witness(({}, {option: OPTIONS[f"{kind}.{option}"]}), {"recommenders.srm.kind": kind})
        found = outcomes_of("recommenders.srm.options", other, laid)
        assert len(set(found.values())) == 2, f"recommenders.srm.options: {option} of {kind} changes nothing"
