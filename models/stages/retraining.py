"""Adaptive re-training, pooled (LSC4Rec, arXiv 2501.05647, stage 3): the model goes on learning, on newer data of all.

What is newer than what it was trained on is the validation part. Its last share is held out to say when to stop; the
replay part stays unseen. The paper trains for ten passes and picks one on the test part.
"""

from __future__ import annotations

from dataclasses import replace

from models.srms.base import Srm
from models.stages.course import Course
from models.training import train
from models.weights import Facts
from scenarios.population import Population
from scenarios.schema.stages import Retraining


def newer(population: Population, held_out: float) -> Population:
    """The same streams with all but the last share of the validation part counted as history."""
    part = population.replay_from - population.history_end
    return replace(population, history_end=population.replay_from - -(-part * held_out // 1).astype(int))


def teach(stage: Retraining, course: Course) -> tuple[Srm, Facts]:
    """See the head of this file."""
    population = newer(course.population, stage.held_out)
    return train(course.pupil, population, course.window, stage.training, course.key, course.label, course.silent)
