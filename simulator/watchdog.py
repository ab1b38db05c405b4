"""The watchdog: ends a run that gets nowhere, and says who waits for what.

A run gets somewhere while interactions are lived through, or requests are made and come to rest. Where neither happened
for a long time, it still may: the network or a device has something set for later, and time passes. Otherwise the cloud
keeps itself busy, and nobody's waiting will end by it.
"""

from __future__ import annotations

from collections.abc import Iterable

from simulator.clock import ANSWER, ARRIVAL, GIVE_UP, INTERACTION, LEAVE, NEVER, RESEND, SECOND, Clock
from simulator.exchange import Exchange
from simulator.progress import Progress
from simulator.request import Request

OUTSIDE = (ARRIVAL, ANSWER, GIVE_UP, RESEND, LEAVE, INTERACTION)
"""Kinds of moments that belong to devices and network; there is never an endless row of them without progress."""
SHOWN = 3


class StalledError(RuntimeError):
    """A run that gets nowhere: a fault of the program, or a cloud that will never serve what waits for it."""


class Watchdog:
    """Looks at a run now and then, and at its end."""

    def __init__(self, clock: Clock, exchange: Exchange, progress: Progress) -> None:
        self._clock = clock
        self._exchange = exchange
        self._progress = progress
        self._state = (-1, -1, -1)
        self._time = -1

    def look(self) -> None:
        """Raise `StalledError` if nothing has got anywhere since the last look, and nothing can."""
        state = (self._progress.done, self._exchange.issued, len(self._exchange.open))
        now = self._clock.tick
        if state == self._state and (now == self._time or not self._clock.expects(OUTSIDE)):
            raise StalledError(f"the run stands still at {now / SECOND:.9g} s; {self._who_waits()}")
        self._state, self._time = state, now

    def end(self) -> None:
        """Raise `StalledError` if nothing more will happen, but somebody waits."""
        if self._exchange.open or self._progress.left:
            raise StalledError(f"nothing more happens after {self._clock.tick / SECOND:.9g} s; {self._who_waits()}")

    def _who_waits(self) -> str:
        groups: dict[str, list[Request]] = {}
        for request in self._exchange.open.values():
            groups.setdefault(_waits_for(request), []).append(request)
        lines = [f"{len(group)} waiting {what} ({_shown(group)})" for what, group in groups.items()]
        if self._progress.left:
            lines.append(f"{self._progress.left} interactions have not come")
        return "; ".join(lines) or "no request is open"


def _waits_for(request: Request) -> str:
    if request.reached != NEVER:
        return "for their device to show or drop what it got"
    if request.finished != NEVER:
        return "to reach their device"
    if request.started != NEVER:
        return "for their service to end"
    if request.arrived != NEVER:
        return "for a replica, or to be rejected"
    if request.ends < 2:
        return "for the time-out of a request that was lost"
    return "to reach the cloud"


def _shown(group: Iterable[Request]) -> str:
    each = [f"device {r.device}, step {r.step}, sent at {r.sent / SECOND:.9g} s" for r in group]
    return "; ".join(each[:SHOWN]) + ("; and others" if len(each) > SHOWN else "")
