"""What every block of a scenario has in common: frozen, strict about unknown keys, documented beside each field."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

LONGEST_TIME_S = 1e8
"""Of any time in a scenario: three years. The clock counts nanoseconds in 64 bits, which hold 292 years; so dozens of
the longest times still add up."""


class Block(BaseModel):
    """A block of a scenario file. Keys that end in _s or _ms, and numbers under `milliseconds`, are times."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False, validate_default=True
    )

    @field_validator("*")
    @classmethod
    def _fits_the_clock(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        if name == "milliseconds":
            for key, each in value.items():
                _hold_to(each, LONGEST_TIME_S * 1000, f"{key:g}: {each:g}: ")
        elif isinstance(value, int | float) and name.endswith("_ms"):
            _hold_to(value, LONGEST_TIME_S * 1000)
        elif isinstance(value, int | float) and name.endswith("_s") and not name.endswith("_per_s"):
            _hold_to(value, LONGEST_TIME_S)
        return value


def _hold_to(value: float, most: float, entry: str = "") -> None:
    if value > most:
        raise ValueError(f"{entry}expected at most {most:g} (three years)")


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
