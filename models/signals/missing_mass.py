"""Probability that the user's next item is one of the device's own best 50 that the list lacks, by the device's model.

Own formula: coverage, weighted by how likely the SRM (softmax over what the device holds and the user has not consumed)
finds each item. It grows with age and with the device's certainty that something else is wanted now.
"""

from __future__ import annotations

from torch import Tensor

from models.held import HeldSince


def missing_mass(held: HeldSince) -> Tensor:
    """[N] in 0..1; 0 where the device holds nothing to compare with."""
    return (held.odds * held.lacks).sum(1)
