"""Cooperative training (LSC4Rec, arXiv 2501.05647, stage 2): the device's model learns on the cloud's own lists.

At every position of the histories the candidates are the item that was taken and the cloud's list, whose other items
are hard negatives: what the cloud would show and the user did not take. Recombined candidates put the digits of listed
items together anew, as a language model that spells numbers might: the last two digits of one, the two before of
another, what remains of a third. Numbers beyond the catalogue are dropped; the released code keeps these, a third of
all on a catalogue of five digits, as negatives that never exist.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.srms.base import PAD, Srm
from models.stages.course import Course
from models.stages.teacher_lists import teacher_lists
from models.training import train
from models.weights import Facts
from scenarios.schema.stages import Cooperative


def teach(stage: Cooperative, course: Course) -> tuple[Srm, Facts]:
    """See the head of this file."""
    lists = teacher_lists(course, stage.candidates)

    def lesson(srm: Srm, items: Tensor, places: Tensor) -> Tensor:
        real = items[:, 1:] != PAD
        targets, states = items[:, 1:][real], srm.encode(items[:, :-1])[real]
        listed, _ = lists.at(places[:, 1:][real])
        if stage.recombined:
            listed = torch.cat([listed, recombined(listed, stage.recombined, srm.n_items)], 1)
        loss = over_lists(srm, states, targets, listed, stage.loss)
        if stage.catalogue_weight == 0:
            return loss
        whole = functional.cross_entropy(srm.score_all(states), targets)
        return stage.catalogue_weight * whole + (1 - stage.catalogue_weight) * loss

    return train(
        course.pupil, course.population, course.window, stage.training, course.key, course.label, course.silent, lesson
    )


def over_lists(srm: Srm, states: Tensor, targets: Tensor, listed: Tensor, kind: str) -> Tensor:
    """Mean loss of telling targets [N] from other candidates [N, L], -1 where there are no more, by [N, ...] states.

    softmax: cross-entropy of the target among target and list. binary: each of these judged by itself.
    """
    others = (listed >= 0) & (listed != targets[:, None])
    scores = srm.score(states, torch.cat([targets[:, None], listed.clamp(min=0)], 1))
    there = functional.pad(others, (1, 0), value=True)
    if kind == "softmax":
        chosen = torch.zeros_like(targets)
        return functional.cross_entropy(scores.masked_fill(~there, -torch.inf), chosen)
    wanted = torch.zeros_like(scores)
    wanted[:, 0] = 1
    return functional.binary_cross_entropy_with_logits(scores[there], wanted[there])


def recombined(listed: Tensor, count: int, n_items: int) -> Tensor:
    """[N, L] listed ids -> [N, count] ids made of their digits; -1 for those beyond the catalogue, or where none is."""
    rows, length = listed.shape
    some = (listed >= 0).sum(1, keepdim=True)
    # Lists have their items first, so that a draw below their number is one of them.
    draws = (torch.rand(3, rows, count, device=listed.device) * some).long().clamp(max=length - 1)
    last, middle, leading = (listed.clamp(min=0).gather(1, each) for each in draws)
    made = last % 100 + middle // 100 % 100 * 100 + leading // 10_000 * 10_000
    return made.where((made < n_items) & (some > 0), -1)
