"""The values of a policy's parameter as a scenario gives them: one, or a list of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from scenarios.schema.base import Count, NonNegative, Positive, Share


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list | tuple) else (value,)  # a strict tuple is no list


Counts = Annotated[
    tuple[Count, ...],
    Field(min_length=1),
    BeforeValidator(_listed, json_schema_input_type=Count | Annotated[list[Count], Field(min_length=1)]),
]
Shares = Annotated[
    tuple[Share, ...],
    Field(min_length=1),
    BeforeValidator(_listed, json_schema_input_type=Share | Annotated[list[Share], Field(min_length=1)]),
]
Thresholds = Annotated[
    tuple[NonNegative, ...],
    Field(min_length=1),
    BeforeValidator(_listed, json_schema_input_type=NonNegative | Annotated[list[NonNegative], Field(min_length=1)]),
]
Rates = Annotated[
    tuple[Positive, ...],
    Field(min_length=1),
    BeforeValidator(_listed, json_schema_input_type=Positive | Annotated[list[Positive], Field(min_length=1)]),
]
Levels = Annotated[
    tuple[float, ...],
    Field(min_length=1),
    BeforeValidator(_listed, json_schema_input_type=float | Annotated[list[float], Field(min_length=1)]),
]
