"""IntellectReq (arXiv 2302.07335): ask where the answer held is about to be wrong; and the baselines of its paper.

What it looks at is learned (`models/learned/intellectreq.py`, `models/learned/outliers.py`) from the validation part
and other users than the device's own. The paper reads its thresholds off the test set; here they are given, or read off
the validation part, or off what is judged on where that is to be reproduced.

What is about to be wrong is not what a request would put right: on MovieLens these rules ask for users who are hard to
predict, again and again, and bring less than as many requests made at random.
"""

from __future__ import annotations

from typing import Literal

from simulator.policies.base import Point, Reference
from simulator.policies.threshold import ReleasedCut

Detector = Literal["misjudgement", "uncertainty", "local_outlier_factor", "one_class_svm", "isolation_forest"]


class IntellectReqFamily(ReleasedCut):
    """Ask where a detector finds that what is held will not do any longer."""

    kind: Literal["intellectreq"] = "intellectreq"
    detector: Detector = "misjudgement"
    """The mis-recommendation detector with its uncertainty mapper, or a baseline: the uncertainty alone, or how far out
    of the ordinary the behaviour is."""

    @property
    def signals(self) -> tuple[str, ...]:
        """The one."""
        return (self.detector,)

    def points(self, reference: Reference) -> list[Point]:
        """See `ReleasedCut.cuts`."""
        name = self.kind if self.detector == "misjudgement" else self.detector.replace("_", "-")
        return self.cuts(name, ((self.detector, 1.0),), reference)
