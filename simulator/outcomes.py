"""What the engine asks of the recommenders: outcomes of (user, cut, step), and nothing else.

A step counts a user's replayed interactions from 0. A cut c >= 0 says that the list held was made from everything
before step c; `NOTHING` says that no list is held. `step - cut` is the staleness in clicks. A rank is the place, from
1, at which the item that the user really took stands in what the device shows; 0 where it is not shown.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

NOTHING = -1

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
SignalArray = npt.NDArray[np.float32] | npt.NDArray[np.float64]


class Outcomes(Protocol):
    """A store of outcomes, filled in batches, shared by every run over the same models and streams."""

    @property
    def steps(self) -> IntArray:
        """[users] replayed interactions of each user's stream."""

    @property
    def answer_items(self) -> int:
        """Items in an answer of the cloud."""

    def ensure(self, users: IntArray, cuts: IntArray, until: IntArray) -> None:
        """Compute what is missing of outcome(users[i], cuts[i], step) for cuts[i] <= step < until[i], in one batch.
        Where a cut is `NOTHING`, from step 0 on.

        A store may round `until` up, so that asking for more a little later is cheap.
        """

    def signal(self, name: str, user: int, cut: int, start: int, stop: int) -> SignalArray:
        """[stop - start] a request signal at steps start .. stop - 1, for cut >= 0; computed if missing."""

    def signals(self, name: str, users: IntArray, cuts: IntArray, starts: IntArray, stops: IntArray) -> SignalArray:
        """[sum(stops - starts)] the same over many runs of steps, one after the other; computed if missing."""

    def ranks(self, users: IntArray, cuts: IntArray, starts: IntArray, stops: IntArray) -> npt.NDArray[np.uint16]:
        """[sum(stops - starts)] ranks over many runs of steps, one after the other; computed if missing."""


class LiveDevice(Protocol):
    """The models of one device, called one by one as the device lives."""

    def look(self, step: int) -> None:
        """Bring the SRM's state to just before `step` by feeding it the items since, one by one."""

    def hold(self, cut: int) -> None:
        """Take the cloud's answer for this cut, made by the LLM for this history alone; replaces the list held."""

    def rank(self) -> int:
        """Rank of the true item of the step looked at, in what the device would show."""

    def margin(self) -> float:
        """How far the true item's score lies from the nearest other score in the list shown; infinite where alone."""

    def signals(self) -> dict[str, float]:
        """The request signals at the step looked at; a list must be held."""


class LiveModels(Protocol):
    """Makes the live devices."""

    def device(self, user: int) -> LiveDevice:
        """A device that replays this user's stream and holds nothing yet."""
