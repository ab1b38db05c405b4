"""What is done to the device's model after its own training; each stage is one file with a function `teach`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from scenarios.schema.stages import Stage

if TYPE_CHECKING:
    from models.srms.base import Srm
    from models.stages.course import Course
    from models.weights import Facts

FROM_THE_CLOUD = {"cooperative": True, "retraining": False}
"""Whether a stage asks the cloud's model, so that the outcome depends on it."""


def sources(stage: Stage) -> tuple[str, ...]:
    """The stage's own source files."""
    lists = ("stages/teacher_lists.py",) if FROM_THE_CLOUD[stage.kind] else ()
    return (f"stages/{stage.kind}.py", *lists)


def teach(stage: Stage, course: Course) -> tuple[Srm, Facts]:
    """The model after this stage. Raises `ModelError` where training diverges."""
    taught: tuple[Srm, Facts] = importlib.import_module(f"models.stages.{stage.kind}").teach(stage, course)
    return taught
