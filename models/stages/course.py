"""What a stage is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.llms.base import Llm
from models.srms.base import Srm
from scenarios.population import Population


@dataclass(frozen=True)
class Course:
    """A model to be taught, and all that may teach it.

    fresh: makes the model untrained, from the random state it meets. pupil: opens it as the stage before left it.
    teacher: opens the cloud's model, which nothing changes; teacher_key: names that. words: the folder of what it was
    tuned from, where it has learned words. window: items in a training
    window. key: names the outcome, and the training in the cache. label: what the bar calls it.
    """

    population: Population
    fresh: Callable[[], Srm]
    pupil: Callable[[], Srm]
    teacher: Callable[[], Llm]
    teacher_key: str
    window: int
    key: str
    label: str
    announce: Callable[[str], None]
    silent: bool
    words: Path | None = None
