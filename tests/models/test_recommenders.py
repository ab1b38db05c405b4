"""A scenario's recommenders: trained once, stored once, opened only when something is missing."""

import ast
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models import accelerator, opened, trained, training, weights
from models.llms import causal
from models.prepare import prepare
from models.recommenders import Recommenders
from scenarios.behaviour import save
from scenarios.errors import ModelError
from scenarios.population import Population
from scenarios.schema.fleet import Fusion, NoCatalogue, PopularCatalogue
from scenarios.schema.recommenders import CausalLlm, LocalLlm, LocalT5, Srm, T5Llm
from scenarios.schema.recommenders import Recommenders as Spec
from scenarios.schema.training import Training

SHORT = Training(epochs=2, batch_size=8, learning_rate=0.01)
SPEC = Spec(
    srm=Srm(width=8, layers=1, window=6, training=SHORT),
    llm=CausalLlm(width=8, layers=1, heads=2, window=8, training=SHORT),
    list_length=12,
)


def made(population: Population, spec: Spec = SPEC, **changes: object) -> Recommenders:
    asked = {"catalogue": NoCatalogue(), "fusion": Fusion(), "signals": ("footrule",), "announce": print, **changes}
    return prepare(population, spec, progress=False, **asked)  # type: ignore[arg-type]


def every_rank(recommenders: Recommenders) -> list[int]:
    users = recommenders.population.replayed
    steps = recommenders.population.steps[users]
    return recommenders.outcomes.ranks(users, np.zeros_like(users), np.zeros_like(users), steps).tolist()


def test_the_second_time_nothing_is_trained(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    first = every_rank(made(population))

    def forbidden(*rest: object, **more: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(training, "train", forbidden)
    again = made(population)
    assert every_rank(again) == first
    assert again.facts == made(population).facts
    assert again.facts["llm"]["parameters"] > 0


@pytest.mark.parametrize("llm", [SPEC.llm, T5Llm(width=8, layers=1, heads=2, training=SHORT)], ids=lambda llm: llm.kind)
def test_the_second_time_torch_is_not_even_imported(
    llm: CausalLlm | T5Llm, population: Population, tmp_path: Path
) -> None:
    spec = SPEC.model_copy(update={"llm": llm})
    recommenders = made(population, spec)
    ranks = every_rank(recommenders)
    reference = recommenders.reference("footrule")
    recommenders.outcomes.flush()
    code = f"""
import sys
from pathlib import Path
import numpy as np
from scenarios.behaviour import load
from scenarios.population import Population
from scenarios.schema.fleet import Fusion, NoCatalogue
from scenarios.schema.recommenders import Recommenders as Spec
from models.prepare import prepare

data = load(Path({str(tmp_path / "data")!r}))
population = Population(data, data.lengths // 2, data.lengths * 2 // 3)
spec = Spec.model_validate_json({spec.model_dump_json()!r})
made = prepare(population, spec, NoCatalogue(), Fusion(), ("footrule",), print, False)
users = population.replayed
ranks = made.outcomes.ranks(users, np.zeros_like(users), np.zeros_like(users), population.steps[users])
signal = made.outcomes.signal("footrule", int(users[0]), 0, 0, 1)
print(ranks.tolist() == {ranks}, len(made.reference("footrule")) == {len(reference)})
print(len(made.facts), "torch" in sys.modules)
"""
    save(population.behaviour, tmp_path / "data")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "True", "5", "False"]


def test_a_t5_is_opened_with_the_codes_that_it_was_trained_with(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = np.random.default_rng(3).standard_normal((population.behaviour.n_items, 6))
    monkeypatch.setattr("models.text.title_vectors", lambda behaviour, announce: drawn)
    of_text = T5Llm(
        item_ids="semantic_text", levels=1, codebook=20, width=8, layers=1, heads=2, window=8, training=SHORT
    )
    spec = SPEC.model_copy(update={"llm": of_text})
    first = made(population, spec)
    ranks = every_rank(first)
    # Another machine may have no model of texts, or one that rounds otherwise.
    monkeypatch.setattr("models.text.title_vectors", None)
    again = made(population, spec)
    assert again.llm_key == first.llm_key
    assert again._models[1].candidates([np.array([3])], 12)[0][0].tolist() == (
        first._models[1].candidates([np.array([3])], 12)[0][0].tolist()
    )
    searched = made(population, spec.model_copy(update={"llm": of_text.model_copy(update={"beams": 12})}))
    assert searched.llm_key == first.llm_key
    assert searched.key != first.key
    assert every_rank(searched) != ranks
    path = weights.path_of(first.llm_key)
    path.write_bytes(weights.path_of(first.srm_key).read_bytes())
    with pytest.raises(ModelError, match="no weights of a T5"):
        opened.open_llm(population.behaviour.n_items, of_text, first.llm_key)


def test_a_damaged_weights_file_is_said_and_trained_anew(
    population: Population, capsys: pytest.CaptureFixture[str]
) -> None:
    first = made(population)
    ranks = every_rank(first)
    path = weights.path_of(first.srm_key)
    path.write_bytes(path.read_bytes()[:-5])
    assert every_rank(made(population)) == ranks
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert "truncated" in said[0]
    assert "training anew" in said[0]


def test_the_key_follows_everything_that_outcomes_depend_on(
    population: Population, make_population: Callable[..., Population]
) -> None:
    longer = SPEC.model_copy(update={"list_length": 13})
    exact = SPEC.model_copy(update={"precision": "float64"})
    other = make_population(seed=1)
    keys = [
        made(population).key,
        made(population, longer).key,
        made(population, exact).key,
        made(other).key,
        made(population, fusion=Fusion(alpha=0.1)).key,
        made(population, catalogue=PopularCatalogue(items=9)).key,
        made(population, signals=()).key,
    ]
    assert len(set(keys)) == len(keys)
    assert made(population).key == keys[0]


def test_the_reference_holds_the_signal_on_the_validation_part_alone(population: Population) -> None:
    recommenders = made(population)
    reference = recommenders.reference("footrule")
    assert (np.diff(reference) >= 0).all()
    first = np.maximum(population.history_end, 1)
    values = []
    moved = Population(population.behaviour, population.history_end, first)
    live = replace(recommenders.live(), population=moved)
    for user in np.flatnonzero(population.replay_from > first):
        for cut in range(population.replay_from[user] - first[user]):
            device = live.device(user)
            device.hold(cut)
            for step in range(cut, population.replay_from[user] - first[user]):
                device.look(step)
                values.append(device.signals()["footrule"])
    np.testing.assert_allclose(reference, np.sort(values), atol=1e-6)
    (Path(recommenders._folder) / "reference-footrule.npy").write_bytes(b"\x93NUMPY")
    assert recommenders.reference("footrule").tolist() == reference.tolist()


def test_popularity_and_the_bytes_of_the_catalogue(population: Population) -> None:
    recommenders = made(population, catalogue=PopularCatalogue(items=9))
    data = population.behaviour
    history = np.concatenate([data.stream(user)[: population.history_end[user]] for user in range(data.n_users)])
    counts = np.bincount(history, minlength=data.n_items)
    popular = sorted(range(data.n_items), key=lambda item: (-counts[item], item))[:9]
    assert recommenders.part.ids.tolist() == sorted(popular)
    assert recommenders.facts["device_catalogue"] == {"items": 9, "bytes": 9 * 8 * 4}
    assert made(population).facts["device_catalogue"] == {"items": 0, "bytes": 0}


def test_a_local_model_serves_as_the_cloud(population: Population, tmp_path: Path) -> None:
    llm = causal.build(60, CausalLlm(width=8, layers=1, heads=2, window=8))
    llm.network.save_pretrained(tmp_path / "llm")
    spec = SPEC.model_copy(update={"llm": LocalLlm(path=tmp_path / "llm", window=8)})
    recommenders = made(population, spec)
    assert any(every_rank(recommenders))
    assert recommenders.facts["llm"]["parameters"] == sum(each.numel() for each in llm.parameters())
    other = causal.build(60, CausalLlm(width=8, layers=1, heads=2, window=8))
    other.network.save_pretrained(tmp_path / "llm")
    assert made(population, spec).key != recommenders.key
    (tmp_path / "llm" / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="cannot be loaded"):
        every_rank(made(population, spec))


NEUTRAL = {"srms/base.py", "weights.py", "quiet.py", "published.py", "llms/checkpoint.py"}
"""What a model's files import without its lists depending on it: a mark for no item, and how files are kept."""


@pytest.mark.parametrize(
    ("spec", "of_others"),
    [
        (T5Llm(item_ids="digits"), ""),
        (T5Llm(item_ids="token"), ""),
        (T5Llm(item_ids="semantic_text"), "behaviour_vectors.py"),
        (T5Llm(item_ids="semantic_behaviour"), "text.py"),
        (LocalT5(path=Path()), ""),
        (CausalLlm(), ""),
    ],
)
def test_a_model_s_key_follows_every_file_that_makes_it(spec: T5Llm | LocalT5 | CausalLlm, of_others: str) -> None:
    files = trained.sources(spec)
    known = {*files, *trained.TRAINING, *NEUTRAL, of_others}
    for name in files:
        for node in ast.walk(ast.parse((weights.ROOM / name).read_text())):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("models"):
                inner = Path(*str(node.module).split(".")[1:])
                made_of = [inner / each.name for each in node.names] if (weights.ROOM / inner).is_dir() else [inner]
                assert {str(each.with_suffix(".py")) for each in made_of} <= known, name


def test_what_copies_elsewhere_make_is_what_the_models_make(
    population: Population, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, where the processor by another name stands for the accelerator: nothing is lost on the way there."""
    own = made(population)
    here = [every_rank(own), own.reference("footrule")]
    shutil.rmtree(cache / "outcomes")
    monkeypatch.setattr(accelerator, "accelerator", lambda kind: torch.device("cpu", 0))
    there = made(population)
    assert not set(there.models_of_batches[:2]) & set(there._models[:2])
    for mine, theirs in zip(here, [every_rank(there), there.reference("footrule")], strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_batches_are_made_on_an_accelerator_where_there_is_one(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`meta` stands for one: copies go there, the models that live devices call stay; Apple's has no float64."""
    monkeypatch.setattr(accelerator, "accelerator", lambda kind: torch.device("meta"))
    mine = made(population)
    assert {each.device.type for model in mine.models_of_batches[:2] for each in model.parameters()} == {"meta"}
    assert {each.device.type for model in mine._models[:2] for each in model.parameters()} == {"cpu"}
    assert "models_of_batches" not in pickle.loads(pickle.dumps(mine)).__dict__
    monkeypatch.undo()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert accelerator.accelerator(torch.float32).type == "mps"
    assert accelerator.accelerator(torch.float64).type == "cpu"
