"""What is done to the device's model after its own training; each stage is one file with a function `teach`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from scenarios.schema.stages import Stage

if TYPE_CHECKING:
    from models.srms.base import Srm
    from models.stages.course import Course
    from models.weights import Facts

FROM_THE_CLOUD = {"cooperative": True, "retraining": False, "distillation": True}
"""Whether a stage asks the cloud's model, so that the outcome depends on it."""
BESIDES = {
    "cooperative": ("stages/teacher_lists.py",),
    "distillation": ("stages/teacher_lists.py", "llms/item_vectors.py", "text.py"),
}
"""Source files that a stage's outcome depends on besides its own."""


def sources(stage: Stage) -> tuple[str, ...]:
    """The stage's own source files."""
    return (f"stages/{stage.kind}.py", *BESIDES.get(stage.kind, ()))


def teach(stage: Stage, course: Course) -> tuple[Srm, Facts]:
    """The model after this stage. Raises `ModelError` where training diverges."""
    taught: tuple[Srm, Facts] = importlib.import_module(f"models.stages.{stage.kind}").teach(stage, course)
    return taught
