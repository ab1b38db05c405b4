"""What is done to the device's model after its own training; each stage is one file with a function `teach`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from scenarios.errors import ModelError
from scenarios.schema.recommenders import Srm as Spec
from scenarios.schema.stages import MergeNet, Stage

if TYPE_CHECKING:
    from models.srms.base import Srm
    from models.stages.course import Course
    from models.weights import Facts

FROM_THE_CLOUD = {"cooperative": True, "retraining": False, "distillation": True, "mergenet": True}
"""Whether a stage asks the cloud's model, so that the outcome depends on it."""
BESIDES = {
    "cooperative": ("lists.py", "stages/teacher_lists.py"),
    "distillation": ("lists.py", "stages/teacher_lists.py", "llms/item_vectors.py", "text.py"),
    "mergenet": ("stages/parameter_adapter.py", "llms/item_vectors.py"),
}
"""Source files that a stage's outcome depends on besides its own."""

REWRITTEN = {
    "sasrec": "blocks.{last}.feed_forward.3.weight",
    "gru4rec": "gru.weight_ih_l0",
    "ttt4rec": "blocks.{last}.down.weight",
    "din": "history.weight",
}
"""The matrix of a kind of device's model that a parameter adapter rewrites; one that is not here can do without."""
SHAPES = {"sasrec": (1, 1), "gru4rec": (3, 1), "ttt4rec": (1, 4), "din": (1, 1)}
"""Its rows and columns, in widths of the model."""

CONTROLS: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "distillation": {"lists": {"embedding_weight": 0.0}, "vectors": {"ranking_weight": 0.0}},
    "mergenet": {"noise": {"source": "noise"}, "none": {"source": "none"}},
}
"""What a stage has to be held against, by name: the settings in which that differs."""


def control(stage: Stage, name: str) -> Stage:
    """The stage with a control's settings, all else as it is. Raises `KeyError` where its kind has none so named."""
    return stage.model_copy(update=CONTROLS.get(stage.kind, {})[name])


def changed_bytes(stage: Stage, srm: Spec, whole: int) -> int:
    """What has to be sent to a device that has the model of before this stage. whole: bytes of all its weights.

    A stage that trains changes all of them; only a parameter adapter may be held to one matrix.
    """
    if isinstance(stage, MergeNet) and stage.teaches == "matrix":
        rows, columns = SHAPES[srm.kind]
        return 4 * rows * columns * srm.width**2
    return whole


def sources(stage: Stage) -> tuple[str, ...]:
    """The stage's own source files."""
    return (f"stages/{stage.kind}.py", *BESIDES.get(stage.kind, ()))


def teach(stage: Stage, course: Course) -> tuple[Srm, Facts]:
    """The model after this stage. Raises `ModelError` where training diverges, or the stage is not for such a model."""
    if isinstance(stage, MergeNet) and (kind := course.fresh().spec.kind) not in REWRITTEN:
        raise ModelError(
            f"recommenders.srm.stages: mergenet knows no matrix of {kind} to rewrite, only of {', '.join(REWRITTEN)}"
        )
    taught: tuple[Srm, Facts] = importlib.import_module(f"models.stages.{stage.kind}").teach(stage, course)
    return taught
