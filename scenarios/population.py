"""Who is replayed: behaviour data with each stream cut into history, validation and replay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenarios.behaviour import Behaviour, IntArray


@dataclass(frozen=True)
class Population:
    """Streams and their two cuts.

    Of user u's stream of length n, positions [0, history_end[u]) train the models, [history_end[u], replay_from[u])
    choose among them, [replay_from[u], n) are replayed. Everywhere else in the house a *step* is a position counted
    from replay_from: step 0 is the first replayed interaction, and a *cut* c says that the cloud had seen all before
    step c.
    """

    behaviour: Behaviour
    history_end: IntArray
    replay_from: IntArray

    @property
    def steps(self) -> IntArray:
        """[users] replayed interactions; 0 for a user who only trains the models."""
        replayable = np.minimum(self.replay_from, 1)  # a device must know one past item to rank for the next
        return (self.behaviour.lengths - self.replay_from) * replayable

    @property
    def replayed(self) -> IntArray:
        """The users who have something to replay, in order."""
        return np.flatnonzero(self.steps)
