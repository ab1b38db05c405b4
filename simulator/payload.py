"""What a request and its answer weigh, counted from their content."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from scenarios.schema.network import Network as NetworkSpec

ITEM_BYTES = 4
"""An item id as an unsigned 32-bit number."""
SCORE_BYTES = 2
"""A score as a 16-bit float."""
PRICE_BYTES = 2
"""A price as a 16-bit float."""


@dataclass(frozen=True)
class Payload:
    """Bytes of the messages: framing as the scenario states, items, and generated parameters."""

    request_header: int
    answer_header: int
    answer_items: int
    parameter_bytes: int = 0

    @classmethod
    def of(cls, spec: NetworkSpec, answer_items: int, parameter_bytes: int = 0) -> Payload:
        """The messages of a scenario. parameter_bytes: of generated parameters in an answer."""
        return cls(spec.request_header_bytes, spec.answer_header_bytes, answer_items, parameter_bytes)

    def request(self, new_items: int) -> int:
        """A request brings the items consumed since the last request that the device knows to have been heard.

        The history before the first replayed interaction is with the cloud already.
        """
        return self.request_header + ITEM_BYTES * max(new_items, 0)

    @cached_property
    def answer(self) -> int:
        """An answer brings a list of items and their scores, parameters for the device's model, or both."""
        return self.answer_header + self.answer_items * (ITEM_BYTES + SCORE_BYTES) + self.parameter_bytes

    @cached_property
    def rejection(self) -> int:
        """A rejection is an answer that brings nothing."""
        return self.answer_header
