"""A whole scenario, models and all, that takes a second to learn and another to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]


def small(*policies: Document, replications: int = 2, **source: int) -> Document:
    """As a document; source: keys of the synthetic data that are to be others."""
    training = {"epochs": 1}
    return {
        "version": 1,
        "name": "small",
        "data": {"source": {"kind": "synthetic", "users": 30, "items": 60, "interactions_per_user": 25, **source}},
        "recommenders": {
            "srm": {"kind": "gru4rec", "width": 8, "layers": 1, "heads": 1, "training": training},
            "llm": {"kind": "causal", "width": 8, "layers": 1, "heads": 1, "training": training},
            "list_length": 20,
        },
        "sweep": {"replications": replications, "policies": list(policies)},
    }


def written(path: Path, *policies: Document, **more: int) -> Path:
    """The same as a file."""
    path.write_text(yaml.safe_dump(small(*policies, **more)))
    return path
