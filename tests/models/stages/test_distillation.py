"""The student learns from the cloud's lists, each item weighed, and from its item vectors, and then needs neither."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import small_llama
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional

from models import srms
from models.opened import open_srm
from models.srms.base import PAD
from models.stages import distillation
from models.stages.distillation import (
    Projected,
    _own,
    catalogue_scores,
    consistency,
    distances,
    fold,
    list_weights,
    ranking_loss,
    unlike,
)
from models.stages.teacher_lists import Lists
from models.trained import train_srm
from scenarios.errors import ModelError
from scenarios.population import Population
from scenarios.schema.pretrained import PretrainedLlm
from scenarios.schema.recommenders import CausalLlm, Recommenders, Srm, T5Llm
from scenarios.schema.stages import Distillation
from scenarios.schema.training import Training

SHORT = Training(epochs=1, batch_size=8)
SRM = Srm(width=8, layers=1, window=8, training=SHORT)
LLM = CausalLlm(width=12, layers=1, heads=2, window=8, training=SHORT)
TEN = torch.arange(10)[None]


def taught(population: Population, srm: Srm = SRM, **stage: Any) -> str:
    spec = srm.model_copy(update={"stages": (Distillation(training=SHORT, **stage),)})
    return train_srm(population, spec, LLM, "training", print, progress=False)


def only(weight: str, **more: Any) -> Distillation:
    """A stage whose lists are weighed by this alone."""
    none = dict.fromkeys(("position_weight", "confidence_weight", "consistency_weight"), 0.0)
    return Distillation(**{**none, weight: 1.0, **more})


def test_places_weigh_what_the_paper_says() -> None:
    weights, _ = list_weights(only("position_weight"), TEN, torch.zeros(1, 10), torch.tensor([0]), torch.rand(1, 60))
    told = [0.6321, 0.2326, 0.0856, 0.0315, 0.0116, 0.0043, 0.0016, 0.0006, 0.0002, 0.0001]
    assert weights[0].tolist() == pytest.approx(told, abs=5e-5)


def test_weights_together_are_those_of_the_released_code() -> None:
    """Of equal confidence, with items 3 and 7 in the student's own list: what a run of that code gives."""
    scores = torch.zeros(1, 60)
    scores[0, [3, 7, *range(50, 58)]] = 1
    told = [0.240, 0.120, 0.076, 0.159, 0.054, 0.051, 0.051, 0.150, 0.050, 0.050]
    for loss in ("softmax", "released"):
        weights, _ = list_weights(
            Distillation(loss=loss, confidence="candidate"), TEN, torch.zeros(1, 10), torch.tensor([0]), scores
        )
        assert weights[0].tolist() == pytest.approx(told, abs=6e-4)


def lists(rows: int, length: int, scale: float, seed: int) -> tuple[Tensor, Tensor]:
    """Lists of unlike lengths, none of them empty, with scores best first."""
    torch.manual_seed(seed)
    listed = torch.rand(rows, 60).topk(length).indices
    theirs, _ = (scale * torch.randn(rows, length)).sort(1, descending=True)
    gone = torch.arange(length) > torch.randint(length, (rows, 1))
    return listed.masked_fill(gone, -1), theirs.masked_fill(gone, 0)


@settings(max_examples=40)
@example(3, 3, 112.0, 0, "b")
@given(st.integers(1, 20), st.integers(1, 50), st.floats(0, 1e4), st.integers(0, 999), st.sampled_from(["a", "b", "c"]))
def test_weights_of_a_list_add_up_to_one(count: int, length: int, scale: float, seed: int, which: str) -> None:
    stage = {
        "a": Distillation(candidates=count, confidence="candidate"),
        "b": Distillation(candidates=count, loss="released"),
        "c": Distillation(candidates=count),
    }[which]
    listed, theirs = lists(5, length, scale, seed)
    weights, shares = list_weights(stage, listed, theirs, torch.arange(5), torch.randn(5, 60))
    assert (weights >= 0).all()
    assert (weights[listed[:, :count] < 0] == 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(5))
    assert shares.mean().item() == pytest.approx(1, abs=1e-5)
    assert (which == "c") or (shares == 1).all()


def test_consistency_follows_the_student_as_it_changes() -> None:
    listed = torch.tensor([[0, 1, 2]])
    before, after = torch.zeros(1, 6), torch.zeros(1, 6)
    before[0, [0, 4, 5]] = after[0, [1, 2, 3]] = 1
    assert consistency(listed, before).tolist() == [[1, 0, 0]]
    assert consistency(listed, after).tolist() == [[0, 1, 1]]
    stage = Distillation(candidates=3, confidence="candidate")
    weighed = [list_weights(stage, listed, torch.zeros(1, 3), torch.tensor([0]), each)[0] for each in (before, after)]
    assert not torch.equal(*weighed)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_confidence_tells_candidates_apart_however_far_away_they_are(scale: float) -> None:
    theirs = scale * torch.tensor([[-1.0, -2.0, -4.0, -5.0]])
    listed = torch.tensor([[5, 6, 7, 8]])
    given = (listed, theirs, torch.tensor([6]), torch.zeros(1, 60))
    weights = list_weights(only("confidence_weight", confidence="candidate", candidates=4), *given)[0][0]
    assert torch.log(weights[0] / weights).tolist() == pytest.approx([0, 0.25, 0.75, 1], abs=1e-5)
    released = list_weights(only("confidence_weight", candidates=4, loss="released"), *given)[0][0]
    told = torch.exp(-torch.tensor([0.0, 1, 3, 4]) * scale) + 1e-8
    torch.testing.assert_close(released, told / told.sum())


def test_distances_are_shares_of_what_lies_between_the_first_and_the_last() -> None:
    theirs, there = torch.tensor([[3.0, 2, -1, 0, 0]]), torch.tensor([[True, True, True, False, False]])
    assert distances(theirs, there)[0, :3].tolist() == pytest.approx([0, 0.25, 1])


def test_a_list_that_had_the_item_taken_high_counts_more() -> None:
    """Of the paper's confidence: the item stands first, in the middle of the scores, last, and nowhere."""
    listed = torch.tensor([[5, 6, 7]]).repeat(4, 1)
    theirs = torch.tensor([[2.0, 1, 0]]).repeat(4, 1)
    stage = only("confidence_weight", candidates=2)
    _, shares = list_weights(stage, listed, theirs, torch.tensor([5, 6, 7, 8]), torch.zeros(4, 60))
    assert torch.log(shares[0] / shares)[:, 0].tolist() == pytest.approx([0, 0.5, 1, 1], abs=1e-5)


def test_losses_are_those_of_their_formulas() -> None:
    torch.manual_seed(0)
    scores, others = torch.randn(2, 9), torch.randn(2)
    listed, weights = torch.tensor([[1, 4], [3, -1]]), torch.tensor([[0.8, 0.2], [1.0, 0.0]])
    chances, judged, odd = scores.softmax(1), scores.sigmoid(), (1 - others).sigmoid()
    wanted = {
        "softmax": 0.8 * chances[0, 1].log() + 0.2 * chances[0, 4].log() + chances[1, 3].log(),
        "binary": 0.8 * judged[0, 1].log() + 0.2 * judged[0, 4].log() + judged[1, 3].log(),
    }
    wanted["released"] = wanted["binary"] + odd[0].log() + odd[1].log()
    for kind, total in wanted.items():
        assert float(ranking_loss(kind, scores, listed, weights, others)) == pytest.approx(float(-total) / 2, abs=1e-5)


def test_each_item_taken_is_judged_beside_one_that_was_not() -> None:
    torch.manual_seed(0)
    scores, targets, others = torch.randn(3, 9), torch.tensor([2, 0, 8]), torch.randn(3)
    logits = torch.cat([scores[torch.arange(3), targets], others])
    wanted = functional.binary_cross_entropy_with_logits(logits, torch.tensor([1.0] * 3 + [0.0] * 3))
    torch.testing.assert_close(_own(scores, targets, others), wanted)


def test_lists_are_those_of_before_each_target_and_count_as_much_as_they_are_worth() -> None:
    """Position by position: what the cloud listed when the target was still to come, weighed, beside the own loss."""
    torch.manual_seed(0)
    srm: Any = srms.build(60, SRM).eval()
    items, places = torch.randint(60, (2, 5)), torch.tensor([[10, 11, 12, 13, 14], [30, 31, 32, 33, 34]])
    items[1, 3:] = PAD
    theirs = -np.sort(-np.random.default_rng(0).normal(size=(40, 20)).astype(np.float32), axis=1)
    listed = np.argsort(np.random.default_rng(1).random((40, 60)), axis=1)[:, :20].astype(np.int32)
    for row, place in ((0, 11), (0, 13), (1, 32)):  # some had the item taken, some not
        listed[place, 3] = int(items[row, place % 10])
    stage = Distillation(candidates=4, ranking_weight=0.6)
    found = distillation._lesson(stage, Lists(listed, theirs))(srm, items, places)
    own, ranking, worth = [], [], []
    for row, last in ((0, 4), (1, 2)):
        for t in range(1, last + 1):
            scores = srm.score_all(srm.encode(items[row : row + 1, :t])[:, -1])[0]
            place = int(places[row, t])
            ids, says = torch.from_numpy(listed[place]).long(), torch.from_numpy(theirs[place])
            away = (says[0] - says) / (says[0] - says[-1])
            taken = (ids == items[row, t]).nonzero()
            confidence = float(torch.exp(-away[taken[0, 0]] if len(taken) else torch.tensor(-1.0)))
            mine = set(scores.topk(4).indices.tolist())
            weights = 0.3 * (-torch.arange(1.0, 5)).softmax(0) + 0.5 * confidence
            weights = weights + 0.1 * torch.tensor([float(item in mine) for item in ids[:4].tolist()])
            own.append(-scores.log_softmax(0)[items[row, t]])
            ranking.append(-(weights * scores.log_softmax(0)[ids[:4]]).sum())
            worth.append(weights.sum())
    expected = torch.stack(own).mean() + 0.6 * torch.stack(ranking).mean() / torch.stack(worth).mean()
    torch.testing.assert_close(found, expected)


def test_an_item_is_known_by_its_own_vector_and_a_part_of_what_the_cloud_knows_it_by() -> None:
    """Through a learned map, on one scale whatever the cloud's; of no weight, by its own alone."""
    torch.manual_seed(0)
    z, own = 50 + 9 * torch.randn(6, 5), torch.randn(6, 8)
    scaled = (z - z.mean(0)) / (z - z.mean(0)).std()
    for weight in (0.0, 0.3):
        projected = Projected(z, 8, weight)
        expected = own + weight * (scaled @ projected.map.weight.T + projected.map.bias)
        torch.testing.assert_close(projected(own), expected)


def test_what_was_not_taken_is_drawn_evenly_from_what_a_window_lacks() -> None:
    torch.manual_seed(0)
    windows = torch.tensor([[0, 1, 2, 3], [5, 5, PAD, PAD], [5, 4, 3, 2]])
    drawn = torch.cat([unlike(windows, 6) for _ in range(2000)], 1)
    counts = torch.stack([row.bincount(minlength=6) for row in drawn]) / 6000
    assert counts[:, :].tolist() == [
        pytest.approx([0, 0, 0, 0, 0.5, 0.5], abs=0.03),
        pytest.approx([0.2] * 5 + [0], abs=0.03),
        pytest.approx([0.5, 0.5, 0, 0, 0, 0], abs=0.03),
    ]
    assert unlike(torch.tensor([[0, 1, 2]]), 3).shape == (1, 2)


@pytest.mark.parametrize("kind", ["sasrec", "gru4rec", "ttt4rec"])
@torch.no_grad()
def test_one_table_says_what_both_said(kind: str) -> None:
    torch.manual_seed(0)
    spec = SRM.model_copy(update={"kind": kind})
    plain: Any = srms.build(60, spec)
    student: Any = srms.build(60, spec)
    torch.nn.utils.parametrize.register_parametrization(student.items, "weight", Projected(torch.randn(60, 20), 8, 0.3))
    items = torch.randint(60, (4, 7))
    student.eval()
    said = student.score_all(student.encode(items)[:, -1])
    fold(student)
    assert torch.equal(said, student.score_all(student.encode(items)[:, -1]))
    assert {name: each.shape for name, each in student.state_dict().items()} == {
        name: each.shape for name, each in plain.state_dict().items()
    }


@pytest.mark.parametrize("kind", ["sasrec", "gru4rec"])
def test_without_both_losses_it_learns_by_the_model_s_own(kind: str) -> None:
    """The same loss and gradients, but for the last bits, as the model adds up its own in pieces."""
    torch.manual_seed(0)
    srm = srms.build(60, SRM.model_copy(update={"kind": kind})).eval()
    items = torch.randint(60, (5, 9))
    items[3:, 6:] = PAD
    lesson = distillation._lesson(Distillation(ranking_weight=0, embedding_weight=0), None)
    found = []
    for loss in (lambda: lesson(srm, items, items), lambda: srm.loss(items)):
        srm.zero_grad()
        said = loss()
        said.backward()
        found.append([said.detach(), *(each.grad for each in srm.parameters())])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("kind", ["sasrec", "din"])
def test_the_student_comes_nearer_to_what_the_cloud_lists(population: Population, kind: str) -> None:
    """Learning from lists more than from what was taken, it agrees with them more than one that does not learn so.

    Whether it scores items by a dot product or one by one.
    """
    from models.opened import open_llm
    from models.trained import train_once

    long = Training(epochs=3, patience=3, batch_size=8, learning_rate=0.02)
    llm = open_llm(60, LLM, train_once(population, LLM, "training", print, progress=False))
    history = [population.behaviour.stream(user)[:2].astype(np.int64) for user in range(20)]
    first = torch.tensor([ids[0] for ids, _ in llm.candidates(history, 1)])
    plain = SRM.model_copy(update={"kind": kind})

    def loss(weight: float) -> float:
        stage = Distillation(ranking_weight=weight, embedding_weight=0, training=long)
        spec = plain.model_copy(update={"stages": (stage,)})
        srm = open_srm(60, plain, train_srm(population, spec, LLM, "training", print, progress=False))
        with torch.no_grad():
            scores = srm.score_all(srm.encode(torch.from_numpy(np.stack(history)))[:, -1])
        return float(functional.cross_entropy(scores, first))

    assert loss(20) < loss(0)


@pytest.mark.parametrize("kind", ["sasrec", "din"])
def test_scores_to_learn_from_are_the_model_s_own(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so are their gradients, in however many parts they are made."""
    monkeypatch.setattr(distillation, "ROWS", 3)
    torch.manual_seed(0)
    srm = srms.build(60, SRM.model_copy(update={"kind": kind})).eval()
    found = []
    for scores in (catalogue_scores, lambda model, states: model.score_all(states)):
        srm.zero_grad()
        said = scores(srm, srm.encode(torch.arange(8)[None])[0])
        functional.cross_entropy(said, torch.arange(8) + 1).backward()
        found.append([said.detach(), *(each.grad for each in srm.parameters())])
    torch.testing.assert_close(*found)


def test_a_pretrained_model_s_own_tokens_can_be_learned_from(
    population: Population, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of titles, through a learned map; other titles make another student."""
    llm = PretrainedLlm(model=str(small_llama.write(tmp_path)), window=8, rank=2, precision="float32", training=SHORT)
    words = small_llama.WORDS[2:]
    titles = [words[item % 8] for item in range(60)]

    def student(titles: list[str]) -> torch.Tensor:
        rows = {"label": population.behaviour.catalogue["label"], "title": titles, "categories": ""}
        behaviour = replace(population.behaviour, catalogue=pd.DataFrame(rows), digest=" ".join(titles))
        titled = replace(population, behaviour=behaviour)
        stage = Distillation(vectors="tokens", ranking_weight=0, training=SHORT)
        spec = SRM.model_copy(update={"stages": (stage,)})
        name = train_srm(titled, spec, llm, "training", print, progress=False)
        return open_srm(60, SRM, name).items.weight

    assert not torch.equal(student(titles), student(titles[::-1]))
    with pytest.raises(ModelError, match="no titles"):
        student([""] * 60)
    with pytest.raises(ModelError, match="only a model of kind pretrained has"):
        taught(population, vectors="tokens")
    tokens = {"kind": "distillation", "vectors": "tokens"}
    with pytest.raises(ValidationError, match="vectors: tokens are those of an llm of kind pretrained"):
        Recommenders.model_validate({"srm": {"stages": [tokens]}})


@pytest.mark.parametrize(
    ("kind", "item_ids", "by"), [("gru4rec", "digits", {"embedding_weight": 0.0}), ("ttt4rec", "token", {})]
)
def test_a_t5_teaches_by_its_lists_and_where_items_are_tokens_by_its_vectors_too(
    make_population: Callable[..., Population], kind: str, item_ids: str, by: dict[str, float]
) -> None:
    population, srm = make_population(users=6), SRM.model_copy(update={"kind": kind})
    llm = T5Llm.model_validate(
        {"item_ids": item_ids, "width": 8, "layers": 1, "heads": 2, "window": 8, "training": SHORT}
    )

    def student(**weights: float) -> Tensor:
        spec = srm.model_copy(update={"stages": (Distillation(training=SHORT, **weights),)})
        return open_srm(60, srm, train_srm(population, spec, llm, "training", print, progress=False)).items.weight

    assert not torch.equal(student(**by), student(ranking_weight=0.0, embedding_weight=0.0))
    if by:
        with pytest.raises(ModelError, match="several tokens each"):
            student()


def test_what_it_is_not_for_is_refused(population: Population) -> None:
    with pytest.raises(ModelError, match="which din does not; expected embedding_weight: 0"):
        taught(population, SRM.model_copy(update={"kind": "din"}))
    with pytest.raises(ValidationError, match="are all 0"):
        Distillation(position_weight=0, confidence_weight=0, consistency_weight=0)
