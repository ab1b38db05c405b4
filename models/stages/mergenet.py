"""MergeNet (Li et al., AAAI 2025, arXiv 2404.13322): weights of the cloud's model rewrite a matrix of the device's.

While the device's model learns by its own loss, every few steps one of its matrices T becomes what a parameter adapter
makes of it and of a matrix S of the cloud's model, of low rank. The step that follows shows where the task wants the
matrix to go from there, and the adapter learns to go there by itself: from the gradient of 1/2 |made - after|^2, after
being held fixed, and not from the task's loss. The cloud's model is frozen, the adapter stays behind. S is one matrix
and the same for all steps, so that noise in its place says whether it matters what the cloud's model knows, and
training without any of this says whether the rewriting does.
"""

from __future__ import annotations

import re
import shutil
from typing import Any

import torch
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState

from models.sampling import economical
from models.srms.base import Srm
from models.stages import REWRITTEN
from models.stages.course import Course
from models.stages.parameter_adapter import Adapter, low_rank, noise_like
from models.training import train
from models.weights import Facts
from scenarios.cache import home
from scenarios.errors import ModelError
from scenarios.schema.stages import MergeNet

LAST_OF_FEED_FORWARD = re.compile(r"(^|\.)(down_proj|wo|c_proj|fc2)$")
"""What Llama and its kin, T5, GPT-2 and OPT call the layer that leads out of a block's feed-forward net."""
WEIGHT_DECAY, LONGEST_GRADIENT = 5e-4, 50.0
"""Of the adapter, as released."""


def teach(stage: MergeNet, course: Course) -> tuple[Srm, Facts]:
    """See the head of this file."""
    beside = [] if stage.source == "none" else [Transfer(stage, source(stage, course.teacher()))]
    # The adapter is in no checkpoint, so a training that was stopped begins anew.
    shutil.rmtree(home() / "training" / course.key, ignore_errors=True)
    spec, population = stage.training, course.population
    return train(
        lambda: economical(pupil(stage, course), population),
        population,
        course.window,
        spec,
        course.key,
        course.label,
        course.silent,
        beside=beside,
    )


def pupil(stage: MergeNet, course: Course) -> Srm:
    """The model that is to learn, with all frozen that is not to change."""
    srm = course.fresh() if stage.teaches == "anew" else course.pupil()
    if stage.teaches == "matrix":
        srm.requires_grad_(False)
        rewritten(srm).requires_grad_(True)
    return srm


def rewritten(srm: Srm) -> nn.Parameter:
    """The matrix of the device's model that is rewritten."""
    return srm.get_parameter(REWRITTEN[srm.spec.kind].format(last=srm.spec.layers - 1))


@torch.no_grad()
def source(stage: MergeNet, llm: Any) -> Tensor:
    """[rank, q] the matrix of the cloud's model that is read, or noise in its place.

    Raises `ModelError` where the model has no such matrix.
    """
    if stage.matrix == "items":
        from models.llms.item_vectors import item_vectors

        matrix = item_vectors(llm)
    else:
        layers = [layer for name, layer in llm.named_modules() if LAST_OF_FEED_FORWARD.search(name)]
        if not layers:
            raise ModelError(
                "recommenders.srm.stages: mergenet: the cloud's model has no feed-forward layer of a known name; "
                "expected matrix: items"
            )
        matrix = layers[-1].weight
        if hasattr(layers[-1], "get_delta_weight"):  # an adapter of its own beside it
            matrix = matrix.float() + layers[-1].get_delta_weight("default").float()
    factor = low_rank(matrix.float().cpu(), stage.rank)
    if stage.source == "llm":
        return factor
    with torch.random.fork_rng():
        torch.manual_seed(stage.training.seed)
        return noise_like(factor)


def displacement(made: Tensor, after: Tensor) -> Tensor:
    """1/2 |made - after|^2, where only what was made learns."""
    return (made - after.detach()).square().sum() / 2


class Transfer(TrainerCallback):  # type: ignore[misc]
    """Rewrites the matrix before every `stage.every`-th step, the first among them, and has the adapter learn after.

    Its draws are its own, so that the device's model meets the same ones whatever the source.
    """

    def __init__(self, stage: MergeNet, source: Tensor) -> None:
        self.stage, self.source = stage, source
        self.made: Tensor | None = None

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, model: Any, **rest: Any) -> None:
        """Make the adapter."""
        target = rewritten(model.now)
        self.source = self.source.to(target.device)
        with torch.random.fork_rng():
            torch.manual_seed(self.stage.training.seed)
            self.adapter = Adapter(target.shape, self.source.shape, self.stage).to(target.device)
        weights = list(self.adapter.parameters())
        self.optimizer = torch.optim.AdamW(
            [
                {"params": [each for each in weights if each.dim() > 1], "weight_decay": WEIGHT_DECAY},
                {"params": [each for each in weights if each.dim() < 2], "weight_decay": 0.0},
            ],
            lr=self.stage.adapter_learning_rate,
        )

    def on_step_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, model: Any, optimizer: Any, **rest: Any
    ) -> None:
        """Rewrite."""
        self.made = None
        if state.global_step % self.stage.every:
            return
        target = rewritten(model.now)
        with torch.random.fork_rng():
            torch.manual_seed(self.stage.training.seed + state.global_step)
            self.made = self.adapter(target.detach().clone(), self.source)
        target.data.copy_(self.made.detach())
        # Where a matrix that is no more was going says nothing of this one.
        momentum = optimizer.state.get(target, {}).get("exp_avg")
        if momentum is not None:
            momentum.zero_()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, model: Any, **rest: Any) -> None:
        """Learn from where the step has led."""
        if self.made is not None:
            learn(self.optimizer, displacement(self.made, rewritten(model.now)))


def learn(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """A step of the adapter."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    weights = [each for group in optimizer.param_groups for each in group["params"]]
    nn.utils.clip_grad_norm_(weights, LONGEST_GRADIENT)
    optimizer.step()
