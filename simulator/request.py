"""A request on its way, and what may become of it."""

from __future__ import annotations

from typing import Protocol

from simulator.clock import NEVER

STATUSES = ("in_flight", "answered", "rejected", "timed_out", "lost", "abandoned")
"""In flight: nothing has happened yet. Answered: the answer came in time. Rejected: the device was told that the cloud
would not serve it. Timed out: neither came in time. Lost: neither could, as a message of either way was lost.
Abandoned: its device gave it up before any of these, as its user left for good or a newer request took its place."""
IN_FLIGHT, ANSWERED, REJECTED, TIMED_OUT, LOST, ABANDONED = range(len(STATUSES))

ATTEMPT = 1 << 32
"""Draws of an attempt have the index of the step plus this for each attempt before it."""


class Owner(Protocol):
    """Whoever sent a request and is told of its end."""

    def settled(self, request: Request) -> None:
        """The request is answered, rejected or given up; told once."""

    def late(self, request: Request) -> None:
        """An answer to a request given up has come after all; told only where late answers are used."""

    def hears(self, price: float) -> None:
        """A reply has come, in time or not, and tells the cloud's price; what else it brings is told next."""


class Request:
    """One request; times in ticks, `NEVER` where they did not come."""

    __slots__ = (
        "answered",
        "applied",
        "arrived",
        "attempt",
        "batch_size",
        "cut",
        "device",
        "downlink",
        "ends",
        "finished",
        "index",
        "intended",
        "left",
        "number",
        "one_way",
        "owner",
        "reached",
        "replica",
        "sent",
        "settled",
        "started",
        "status",
        "step",
        "uplink",
    )

    def __init__(
        self, number: int, owner: Owner, device: int, step: int, intended: int, sent: int, attempt: int = 1
    ) -> None:
        self.number = number
        self.owner = owner
        self.device = device
        self.step = step
        self.attempt = attempt
        """Of the device to have an answer for this step, from 1."""
        self.index = step + (attempt - 1) * ATTEMPT
        """Of the draws that belong to it."""
        self.intended = intended
        self.sent = sent
        self.reached = NEVER
        """When a reply reached the device, whether it was used or not."""
        self.arrived = self.started = self.finished = self.answered = NEVER
        self.applied = -1
        self.status = IN_FLIGHT
        self.settled = NEVER
        """When the device ceased to wait for it."""
        self.ends = 2
        """How many of its two ends, network and device, are not done with it; at 0 it is written to the log."""
        self.cut = step
        """The list in its reply knows of everything before this step; `NOTHING` where the reply brings none."""
        self.left = NEVER
        """When it left the cloud without work on it: rejected, forgotten, or answered from the cache."""
        self.batch_size = 0
        self.replica = -1
        self.uplink = self.downlink = 0
        self.one_way = 0
