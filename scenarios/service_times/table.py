"""Reading a table of service times."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

FOLDER = Path(__file__).parent


class Table(BaseModel):
    """How long one engine takes on one accelerator with one model."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    engine: str
    accelerator: str
    model: str
    source: str
    """Where the numbers were read."""
    date: str
    """Of the source: a day, a month or a year."""
    derivation: str
    """How milliseconds follow from what the source gives."""
    by: Literal["batch", "tokens"]
    """`batch`: a whole batch, by its size. `tokens`: one iteration, by the tokens in it."""
    milliseconds: Annotated[dict[Annotated[int, Field(ge=1)], Annotated[float, Field(ge=0)]], Field(min_length=1)]


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """Names of all tables."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


@lru_cache(maxsize=64)
def table(name: str) -> Table:
    """The table of one of `names()`."""
    return Table.model_validate(yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")))
