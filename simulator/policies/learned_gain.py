"""Ask where a small model expects a fresh list to bring enough: the learned gain.

The signal is NDCG@10 a step that a refresh is expected to add over the next steps. `models/learned/gain.py` tells how
it is learned, from counterfactual pairs of the validation part and of other users than the device's own.
"""

from __future__ import annotations

from typing import Literal

from simulator.policies.base import Point, Reference
from simulator.policies.threshold import Cut


class LearnedGainFamily(Cut):
    """Ask where a fresh list is expected to bring a threshold of NDCG@10 a step."""

    kind: Literal["learned-gain"] = "learned-gain"
    sees: Literal["list", "catalogue"] = "list"
    """What the model looks at: signals of the list alone, or also what the device's own part of the catalogue tells of
    it (`fleet.catalogue`)."""

    @property
    def signals(self) -> tuple[str, ...]:
        """The one."""
        return ("gain" if self.sees == "list" else "gain_over_catalogue",)

    def points(self, reference: Reference) -> list[Point]:
        """See `Cut.cuts`."""
        (signal,) = self.signals
        name = self.kind if self.sees == "list" else f"{self.kind}-over-catalogue"
        return self.cuts(name, ((signal, 1.0),), reference)
