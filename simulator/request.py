"""A request on its way, and what may become of it."""

from __future__ import annotations

from typing import Protocol

from simulator.clock import NEVER

STATUSES = ("in_flight", "answered", "rejected", "timed_out", "lost", "abandoned")
"""In flight: nothing has happened yet. Answered: the answer came in time. Rejected: the device was told that the cloud
would not serve it. Timed out: neither came in time. Lost: neither could, as a message of either way was lost.
Abandoned: its user left for good before any of these."""
IN_FLIGHT, ANSWERED, REJECTED, TIMED_OUT, LOST, ABANDONED = range(len(STATUSES))


class Owner(Protocol):
    """Whoever sent a request and is told of its end."""

    def settled(self, request: Request) -> None:
        """The request is answered, rejected or given up; told once."""


class Request:
    """One request; times in ticks, `NEVER` where they did not come."""

    __slots__ = (
        "answered",
        "applied",
        "arrived",
        "batch_size",
        "device",
        "downlink",
        "ends",
        "finished",
        "intended",
        "number",
        "one_way",
        "owner",
        "replica",
        "sent",
        "settled",
        "started",
        "status",
        "step",
        "uplink",
    )

    def __init__(self, number: int, owner: Owner, device: int, step: int, intended: int, sent: int) -> None:
        self.number = number
        self.owner = owner
        self.device = device
        self.step = step
        self.intended = intended
        self.sent = sent
        self.arrived = self.started = self.finished = self.answered = NEVER
        self.applied = -1
        self.status = IN_FLIGHT
        self.settled = False
        """Whether the device waits for it no longer."""
        self.ends = 2
        """How many of its two ends, network and device, are not done with it; at 0 it is written to the log."""
        self.batch_size = 0
        self.replica = -1
        self.uplink = self.downlink = 0
        self.one_way = 0
