"""The device's model learns to tell what was taken from what the cloud would have shown."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from models import srms
from models.opened import open_llm, open_srm
from models.srms.base import PAD
from models.srms.base import Srm as Model
from models.stages import cooperative
from models.stages.cooperative import over_lists, recombined
from models.stages.course import Course
from models.stages.teacher_lists import Lists, teacher_lists
from models.trained import train_once, train_srm
from scenarios.cache import home
from scenarios.population import Population
from scenarios.schema.recommenders import CausalLlm, Llm, Srm, T5Llm
from scenarios.schema.stages import Cooperative
from scenarios.schema.training import Training

SHORT = Training(epochs=1, batch_size=8)
SRM = Srm(width=8, layers=1, window=8, training=SHORT)
LLM = CausalLlm(width=8, layers=1, heads=2, window=8, training=SHORT)


def key(population: Population, **stage: object) -> str:
    spec = SRM.model_copy(update={"stages": (Cooperative(candidates=10, training=SHORT, **stage),)})
    return train_srm(population, spec, LLM, "training", print, progress=False)


TEACHERS: dict[str, Llm] = {
    "causal": LLM,
    "t5": T5Llm(width=8, layers=1, heads=2, window=8, training=SHORT),
    "t5, searched": T5Llm(width=8, layers=1, heads=2, window=8, beams=12, training=SHORT),
    "t5, unheld": T5Llm(width=8, layers=1, heads=2, window=8, constrained=False, training=SHORT),
}


@pytest.mark.parametrize("teacher", TEACHERS)
def test_the_lists_are_those_that_the_cloud_gives_each_history_by_itself(
    teacher: str, make_population: Callable[..., Population]
) -> None:
    population, spec = make_population(users=12), TEACHERS[teacher]
    name = train_once(population, spec, "training", print, progress=False)
    llm = open_llm(60, spec, name)

    def pupil() -> Model:
        return srms.build(60, SRM)

    course = Course(population, pupil, pupil, lambda: llm, name, 8, "key", "label", print, silent=True)
    lists = teacher_lists(course, 10)
    behaviour = population.behaviour
    made = 0
    for user in range(behaviour.n_users):
        start, end = int(behaviour.offsets[user]), int(population.history_end[user])
        for seen in range(1, end):
            ((ids, _),) = llm.candidates([behaviour.items[start : start + seen]], 10)
            assert lists.items[start + seen].tolist() == [*ids.tolist(), *[-1] * (10 - len(ids))]
            made += len(ids) > 0
    assert made == (lists.items[:, 0] >= 0).sum() > 30
    again = teacher_lists(replace(course, teacher=lambda: pytest.fail("asked again")), 10)
    assert np.array_equal(again.items, lists.items)
    assert np.array_equal(again.scores, lists.scores)


def test_a_truncated_file_of_lists_is_said_and_made_anew(make_population: Callable[..., Population]) -> None:
    population = make_population(users=4)
    name = train_once(population, LLM, "training", print, progress=False)
    llm = open_llm(60, LLM, name)
    said: list[str] = []
    course = Course(
        population, pytest.fail, pytest.fail, lambda: llm, name, 8, "key", "label", said.append, silent=True
    )
    lists = teacher_lists(course, 10)
    (path,) = (home() / "lists").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert np.array_equal(teacher_lists(course, 10).items, lists.items)
    assert path.read_bytes() == whole
    (line,) = said
    assert line.startswith(f"{path}: damaged (")


@torch.no_grad()
def test_the_loss_is_the_cross_entropy_among_target_and_list() -> None:
    torch.manual_seed(0)
    srm = srms.build(60, SRM).eval()
    states, targets = torch.randn(3, 8), torch.tensor([5, 7, 9])
    listed = torch.tensor([[5, 6, 8], [1, 2, -1], [-1, -1, -1]])
    scores = states @ srm.items.weight.T
    one = -torch.log_softmax(scores[0, [5, 6, 8]], 0)[0]
    two = -torch.log_softmax(scores[1, [7, 1, 2]], 0)[0]
    assert float(over_lists(srm, states, targets, listed, "softmax")) == pytest.approx(float(one + two) / 3, abs=1e-5)
    judged = torch.cat([scores[0, [5, 6, 8]], scores[1, [7, 1, 2]], scores[2, [9]]])
    wanted = torch.tensor([1.0, 0, 0, 1, 0, 0, 1])
    binary = -(wanted * judged.sigmoid().log() + (1 - wanted) * (-judged).sigmoid().log()).mean()
    assert float(over_lists(srm, states, targets, listed, "binary")) == pytest.approx(float(binary), abs=1e-5)


def test_each_target_is_told_from_the_list_made_before_it(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the loss over the catalogue, in the shares that the stage says."""
    lessons: list[Any] = []
    monkeypatch.setattr(cooperative, "train", lambda *given: lessons.append(given[-1]))
    torch.manual_seed(0)
    srm = srms.build(60, SRM).eval()
    lists = Lists(np.random.default_rng(0).permuted(np.tile(np.arange(60), (40, 1)), axis=1)[:, :9], np.zeros((40, 9)))
    monkeypatch.setattr(cooperative, "teacher_lists", lambda course, length: lists)
    course = Course(population, lambda: srm, lambda: srm, lambda: LLM, "", 8, "key", "", print, silent=True)
    items, places = torch.randint(60, (2, 5)), torch.tensor([[10, 11, 12, 13, 14], [30, 31, 32, 33, 34]])
    items[1, 3:] = PAD
    real = items[:, 1:] != PAD
    states, targets = srm.encode(items[:, :-1])[real], items[:, 1:][real]
    before = torch.from_numpy(lists.items)[places[:, 1:][real]]
    parts = over_lists(srm, states, targets, before, "binary"), cross_entropy(srm.score_all(states), targets)
    for share in (0.0, 0.2, 1.0):
        cooperative.teach(Cooperative(catalogue_weight=share), course)
        torch.testing.assert_close(lessons[-1](srm, items, places), (1 - share) * parts[0] + share * parts[1])


@given(st.lists(st.integers(0, 30_000), min_size=1, max_size=12), st.integers(1, 40_000))
def test_recombined_items_are_in_the_catalogue_and_of_the_digits_listed(listed: list[int], n_items: int) -> None:
    made = recombined(torch.tensor([[*listed, -1], [-1] * (len(listed) + 1)]), 30, n_items)
    assert made.shape == (2, 30)
    assert (made[1] == -1).all()
    for item in made[0][made[0] >= 0].tolist():
        assert item < n_items
        assert item % 100 in {each % 100 for each in listed}
        assert item // 100 % 100 in {each // 100 % 100 for each in listed}
        assert item // 10_000 in {each // 10_000 for each in listed}


def test_the_model_gives_the_taken_item_a_better_place_in_the_list(population: Population) -> None:
    """Where the lists' negatives count alone, the target rises among them, on what was learned from."""
    before = open_srm(60, SRM, train_srm(population, SRM, LLM, "training", print, progress=False))
    much = Training(epochs=6, patience=6, batch_size=8, learning_rate=0.01)
    spec = SRM.model_copy(update={"stages": (Cooperative(candidates=10, catalogue_weight=0, training=much),)})
    after = open_srm(60, SRM, train_srm(population, spec, LLM, "training", print, progress=False))
    llm = open_llm(60, LLM, train_once(population, LLM, "training", print, progress=False))

    def loss(srm: Model) -> float:
        losses = []
        for user in range(population.behaviour.n_users):
            items = population.behaviour.stream(user)[: population.history_end[user]]
            if len(items) < 3:
                continue
            with torch.no_grad():
                states = srm.encode(torch.from_numpy(items[:-1].astype(np.int64))[None])[0]
                lists = [llm.candidates([items[:k]], 10)[0][0] for k in range(1, len(items))]
                listed = torch.full((len(lists), 10), -1)
                for row, ids in enumerate(lists):
                    listed[row, : len(ids)] = torch.from_numpy(ids)
                targets = torch.from_numpy(items[1:].astype(np.int64))
                losses.append(float(over_lists(srm, states, targets, listed, "softmax")))
        return float(np.mean(losses))

    assert loss(after) < loss(before)


def test_the_teacher_is_part_of_the_key_and_each_setting_counts(population: Population) -> None:
    keys = [
        key(population),
        key(population, loss="softmax"),
        key(population, recombined=5),
        key(population, catalogue_weight=0),
    ]
    other = LLM.model_copy(update={"training": SHORT.model_copy(update={"seed": 1})})
    spec = SRM.model_copy(update={"stages": (Cooperative(candidates=10, training=SHORT),)})
    keys.append(train_srm(population, spec, other, "training", print, progress=False))
    assert len(set(keys)) == len(keys)
    weights = [open_srm(60, SRM, each).items.weight for each in keys]
    assert all(not torch.equal(weights[0], each) for each in weights[1:])
