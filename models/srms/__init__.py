"""Small recommendation models; each kind is one file with a class `Model`, found by its name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from scenarios.schema.recommenders import Srm as Spec

if TYPE_CHECKING:
    from models.srms.base import Srm


def build(n_items: int, spec: Spec) -> Srm:
    """An untrained SRM of the kind that the scenario names. Raises `ModelError` where its options do not fit."""
    model: Srm = importlib.import_module(f"models.srms.{spec.kind}").Model(n_items, spec)
    return model
