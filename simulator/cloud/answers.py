"""Answers that are kept, and sent again while they are fresh."""

from __future__ import annotations

from simulator.request import Request


class AnswerCache:
    """The latest answer made for each device: what it knows of, and since when it is there."""

    def __init__(self, lifetime: int) -> None:
        self._lifetime = lifetime
        self._kept: dict[int, tuple[int, int]] = {}

    def keep(self, request: Request, now: int) -> None:
        """An answer has been made, unless a newer one was made before."""
        kept = self._kept.get(request.device)
        if kept is None or kept[0] <= request.cut:
            self._kept[request.device] = (request.cut, now)

    def cut(self, device: int, now: int) -> int | None:
        """What the fresh answer for a device knows of: everything before this step. None where there is none."""
        kept = self._kept.get(device)
        if kept is None or now - kept[1] > self._lifetime:
            return None
        return kept[0]
