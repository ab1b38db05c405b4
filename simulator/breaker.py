"""Circuit breakers: a device that has met nothing but failures stops asking for a while."""

from __future__ import annotations

from simulator.clock import NEVER


class Breaker:
    """A breaker a device: closed, open until a tick, or half open, while a probe is on its way."""

    def __init__(self, failures: int, open_for: int) -> None:
        self._failures = failures
        self._open_for = open_for
        self._in_a_row: dict[int, int] = {}
        self._opens_at: dict[int, int] = {}
        """When a probe may be sent, for devices whose breaker is open; NEVER while it is on its way."""

    def admits(self, device: int, now: int) -> bool:
        """Whether the device may ask."""
        until = self._opens_at.get(device)
        return until is None or NEVER < until <= now

    def asked(self, device: int) -> None:
        """The device has asked: if its breaker was open, this is the probe."""
        if device in self._opens_at:
            self._opens_at[device] = NEVER

    def failed(self, device: int, now: int) -> None:
        """An attempt was rejected or not answered in time."""
        row = self._in_a_row[device] = self._in_a_row.get(device, 0) + 1
        if row >= self._failures:
            self._opens_at[device] = now + self._open_for

    def succeeded(self, device: int) -> None:
        """An answer has come."""
        self._in_a_row.pop(device, None)
        self._opens_at.pop(device, None)
