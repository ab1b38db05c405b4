"""The world of a run: the blocks of the scenario that the engine obeys, and the streams as plain arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scenarios.schema.cloud import Cloud
from scenarios.schema.data import DrawnPace, RecordedPace
from scenarios.schema.fleet import Fleet
from scenarios.schema.network import Network
from simulator.outcomes import FloatArray, IntArray
from simulator.request import Request


@dataclass(frozen=True)
class World:
    """Everything of a run but its policy, its seed and its models.

    users: [m] who is replayed. steps: [m] interactions of each that are replayed, at least 1. first: [m] where these
    begin in `stamps`. stamps: recorded times in seconds, rising within a stream. answer_items: items in an answer.
    histories: [m] interactions of each before those that are replayed, 0 where absent. parameter_bytes: of generated
    parameters in an answer. push_bytes: of a refresh of the device's model. all_users: of the data, replayed or not.
    Device d replays users[d % m]: devices beyond the m-th are clones.
    """

    pace: RecordedPace | DrawnPace
    fleet: Fleet
    network: Network
    cloud: Cloud
    users: IntArray
    steps: IntArray
    first: IntArray
    stamps: FloatArray
    answer_items: int
    histories: IntArray | None = None
    parameter_bytes: int = 0
    push_bytes: int = 0
    all_users: int = 0

    @property
    def devices(self) -> int:
        """Number of devices."""
        return self.fleet.devices or len(self.users)

    @cached_property
    def history(self) -> Callable[[Request], int]:
        """Items of the history that a request is about."""
        before, streams = [0] * len(self.users) if self.histories is None else self.histories.tolist(), len(self.users)
        return lambda request: before[request.device % streams] + request.step

    @cached_property
    def stream_lengths(self) -> IntArray:
        """[m] interactions that a device of each user lives through."""
        if self.fleet.interactions is None:
            return self.steps
        return np.minimum(self.steps, self.fleet.interactions)

    @cached_property
    def lengths(self) -> IntArray:
        """[devices] interactions that each device lives through."""
        return self.stream_lengths[np.arange(self.devices) % len(self.users)]

    @cached_property
    def device_users(self) -> IntArray:
        """[devices] the user whom each device replays."""
        return self.users[np.arange(self.devices) % len(self.users)]
