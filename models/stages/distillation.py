"""DLLM2Rec (Cui et al., RecSys 2024, arXiv 2405.00338): a small model learns from a large one's lists and item vectors.

The student is made anew. To its own loss comes that of ranking what the cloud lists above the rest, each listed item
weighed (`list_weights`); and what it knows an item by is x_i = b_i + embedding_weight * g(z_i), of a vector b_i of its
own and the cloud's z_i through a learned linear map g. Afterwards both are folded into one table: the student is of the
kind and size that the scenario names, and says the same. In the paper x_i is on the way in alone, the output layer
being another table; here the table is one, so that it also meets the states.

The distances that the paper's confidence falls with are between a generated text's vector and an item's. Our models
score items, so a distance here is by how much an item's score lies below the best. What is beyond the list that was
looked at counts as its end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint

from models.catalogue import LARGE
from models.srms.base import PAD, DotProductSrm, Srm
from models.stages.course import Course
from models.stages.teacher_lists import Lists, teacher_lists
from models.training import train
from models.weights import Facts, size_of
from scenarios.errors import ModelError
from scenarios.schema.stages import Distillation

LOOKED_AT = 50
"""Places of the cloud's lists, at least, among which the item taken is looked for."""
ROWS = 64
"""Positions at which a model without a dot product scores all items at once."""
ALMOST_NOTHING = 1e-8
"""What the released code adds to weights."""


class Projected(nn.Module):
    """b -> b + weight * g(z), as a parametrization of a table of item vectors."""

    z: Tensor

    def __init__(self, z: Tensor, width: int, weight: float) -> None:
        super().__init__()
        # On one scale whatever the cloud's model; a linear map could do the same, but would have to learn it.
        z = z - z.mean(0)
        self.register_buffer("z", z / z.std().clamp(min=1e-12), persistent=False)
        self.map = nn.Linear(z.shape[1], width)
        self.weight = weight

    def forward(self, own: Tensor) -> Tensor:
        """[items, width] -> the same."""
        projected: Tensor = self.map(self.z)
        return own + self.weight * projected


def teach(stage: Distillation, course: Course) -> tuple[Srm, Facts]:
    """See the head of this file."""
    if course.population.behaviour.n_items > LARGE:
        raise ModelError(
            f"recommenders.srm.stages: distillation compares all items at every position, up to {LARGE:,} of "
            f"them; {course.population.behaviour.name} has {course.population.behaviour.n_items:,}"
        )
    z = _vectors(stage, course) if stage.embedding_weight else None
    lists = teacher_lists(course, max(stage.candidates, LOOKED_AT)) if stage.ranking_weight else None

    def make() -> Srm:
        srm = course.fresh()
        if z is not None:
            if not isinstance(srm, DotProductSrm):
                raise ModelError(
                    f"recommenders.srm.stages: distillation of item vectors is for models that end in a dot product "
                    f"with an item's vector, which {srm.spec.kind} does not; expected embedding_weight: 0"
                )
            parametrize.register_parametrization(
                srm.items, "weight", Projected(z, srm.spec.width, stage.embedding_weight)
            )
        return srm

    student, facts = train(
        make,
        course.population,
        course.window,
        stage.training,
        course.key,
        course.label,
        course.silent,
        _lesson(stage, lists),
    )
    if isinstance(student, DotProductSrm) and z is not None:
        fold(student)
    return student, replace(facts, **size_of(student))


def fold(student: DotProductSrm) -> None:
    """Keep what the table of item vectors amounts to, and nothing that it was made of."""
    parametrize.remove_parametrizations(student.items, "weight", leave_parametrized=True)


def _vectors(stage: Distillation, course: Course) -> Tensor:
    """[items, n] the cloud's vectors of items."""
    if stage.vectors == "titles":
        from models.text import title_vectors

        return torch.from_numpy(np.asarray(title_vectors(course.population.behaviour, course.announce)))
    if stage.vectors == "tokens":
        from models.text import described, token_vectors

        if course.words is None:
            raise ModelError(
                "recommenders.srm.stages: distillation learns from tokens, which only a model of kind pretrained has; "
                "expected it as recommenders.llm, or vectors: llm or titles"
            )
        return torch.from_numpy(token_vectors(described(course.population.behaviour), course.words))
    from models.llms.item_vectors import item_vectors

    return item_vectors(course.teacher()).float().cpu()


def _lesson(stage: Distillation, lists: Lists | None) -> Callable[[Srm, Tensor, Tensor], Tensor]:
    def lesson(srm: Srm, items: Tensor, places: Tensor) -> Tensor:
        real = items[:, 1:] != PAD
        targets = items[:, 1:][real]
        with parametrize.cached():
            scores = catalogue_scores(srm, srm.encode(items[:, :-1])[real])
        others = scores.gather(1, unlike(items, srm.n_items)[real][:, None])[:, 0] if stage.loss != "softmax" else None
        loss = _own(scores, targets, others)
        if lists is None:
            return loss
        listed, theirs = lists.at(places[:, 1:][real])
        weights, shares = list_weights(stage, listed, theirs, targets, scores.detach())
        listed = listed[:, : stage.candidates]
        return loss + stage.ranking_weight * ranking_loss(stage.loss, scores, listed, shares * weights, others)

    return lesson


def catalogue_scores(srm: Srm, states: Tensor) -> Tensor:
    """[N, ...] states -> [N, items] scores, to learn from."""
    if isinstance(srm, DotProductSrm):
        return states @ srm.items.weight.T
    # What each pair leaves behind for the way back would fill the memory, so it is made anew there.
    parts = [checkpoint(srm.score_all, part, use_reentrant=False) for part in torch.split(states, ROWS)]
    return torch.cat(parts)


def _own(scores: Tensor, targets: Tensor, others: Tensor | None) -> Tensor:
    """Mean loss of the items taken: over the catalogue, or each against one other item (eq. 3)."""
    if others is None:
        return functional.cross_entropy(scores, targets)
    taken = scores.gather(1, targets[:, None])[:, 0]
    return -(functional.logsigmoid(taken) + functional.logsigmoid(-others)).mean() / 2


def ranking_loss(kind: str, scores: Tensor, listed: Tensor, weights: Tensor, others: Tensor | None) -> Tensor:
    """Mean over [N, items] scores of the weighed losses of [N, K] listed items, whose weights are 0 where none is.

    softmax: cross-entropy over the catalogue, as the model's own. binary: the paper's (eq. 5). released: its code's,
    which besides has the score of [N] others meet 1 - y where -y seems meant.
    """
    ids = listed.clamp(min=0)
    if kind == "softmax":
        losses = -scores.log_softmax(1).gather(1, ids)
    else:
        losses = -functional.logsigmoid(scores.gather(1, ids))
    if kind == "released":
        assert others is not None
        losses = losses - functional.logsigmoid(1 - others)[:, None]
    return (weights * losses).sum(1).mean()


def unlike(items: Tensor, n_items: int) -> Tensor:
    """[B, T] windows -> [B, T - 1] items drawn evenly from those that a window lacks; from all where it lacks none."""
    free = items.new_ones(len(items), n_items + 1, dtype=torch.float32)
    free.scatter_(1, items.where(items != PAD, n_items), 0)
    free = free[:, :n_items]
    free[free.sum(1) == 0] = 1
    return torch.multinomial(free, items.shape[1] - 1, replacement=True)


def list_weights(
    stage: Distillation, listed: Tensor, theirs: Tensor, targets: Tensor, scores: Tensor
) -> tuple[Tensor, Tensor]:
    """([N, K] weights of the K items listed first, [N, 1] how much each list counts beside the others).

    The weights are those of their place, the cloud's confidence and consistency (eqs. 6-10); rows sum to 1. Where
    confidence is that in the item taken, it is one number a list, and lists that the cloud was surer of count more, by
    what their weights summed to; else all count the same. Lists count 1 on the average.

    listed, theirs: [N, L] the cloud's lists and its scores, -1 where there are no more. targets: [N] what was taken.
    scores: [N, items] the student's, as it is now.
    """
    count = min(stage.candidates, listed.shape[1])
    there = listed[:, :count] >= 0
    place = torch.arange(1, count + 1, device=scores.device)
    position = (-place / stage.position_scale).softmax(0)
    if stage.loss == "released":
        sure = torch.exp((theirs[:, :count] - theirs[:, :1]).where(there, -torch.inf)) + ALMOST_NOTHING
        confidence = sure / sure.sum(1, keepdim=True)
    elif stage.confidence == "candidate":
        sure = torch.exp(-distances(theirs[:, :count], there)) * there
        confidence = sure / sure.sum(1, keepdim=True).clamp(min=ALMOST_NOTHING)
    else:
        taken = listed == targets[:, None]
        away = distances(theirs, listed >= 0).where(taken, 0).sum(1).where(taken.any(1), 1)
        confidence = torch.exp(-away)[:, None]
    weights = stage.position_weight * position + stage.confidence_weight * confidence
    weights = weights + stage.consistency_weight * consistency(listed[:, :count], scores)
    weights = weights * there
    sums = weights.sum(1, keepdim=True)
    differ = stage.confidence == "truth" and stage.loss != "released"
    shares = sums / sums.mean().clamp(min=ALMOST_NOTHING) if differ else torch.ones_like(sums)
    return weights / sums.clamp(min=ALMOST_NOTHING), shares


def distances(theirs: Tensor, there: Tensor) -> Tensor:
    """[N, L] scores, best first -> how far each is below the best of its list, the last one being 1 below.

    Raw distances can be so large that exp(-distance) is 0 for all, and lists look alike.
    """
    last = theirs.where(there, torch.inf).amin(1, keepdim=True)
    return ((theirs[:, :1] - theirs) / (theirs[:, :1] - last).clamp(min=ALMOST_NOTHING)).clamp(0, 1)


def consistency(listed: Tensor, scores: Tensor) -> Tensor:
    """[N, K] whether the student's own K best items have a listed one among them."""
    least = scores.topk(min(listed.shape[1], scores.shape[1])).values[:, -1:]
    return (scores.gather(1, listed.clamp(min=0)) >= least).float()
