"""Ask as LSC4Rec's released code does: 16 users together or not at all (`models/lsc4rec_code.py`). For reproduction.

The code's score weighs what the paper tells of, the disagreement of the two orders, against empty places in the lists,
and these outweigh it wherever there are any. It takes its threshold from the scores of the test set, and gives out a
budget in the order of the data set; here devices ask whenever their moment comes, and `bucket` bounds what each may.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from simulator.policies.base import Point, Reference
from simulator.policies.threshold import ReleasedCut

SIGNAL = "lsc4rec_code"


class Lsc4RecCodeFamily(ReleasedCut):
    """Ask where the score of the user's batch reaches a threshold."""

    kind: Literal["lsc4rec_code"] = "lsc4rec_code"
    signals: ClassVar[tuple[str, ...]] = (SIGNAL,)

    def points(self, reference: Reference) -> list[Point]:
        """See `ReleasedCut.cuts`."""
        return self.cuts(self.kind, ((SIGNAL, 1.0),), reference)
