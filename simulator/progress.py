"""How far a run is, told now and then."""

from __future__ import annotations

from collections.abc import Callable

Tell = Callable[[int, int], None]
"""Called with the interactions lived through so far and those of the whole run."""
TELLINGS = 500


class Progress:
    """Counts interactions, and tells of them some hundred times over a run."""

    def __init__(self, total: int, tell: Tell | None) -> None:
        self._total = total
        self._tell = tell
        self._stride = max(total // TELLINGS, 1)
        self._lived = 0
        self._next = self._stride if tell else total + 1

    def add(self, interactions: int) -> None:
        """Count interactions that devices have lived through."""
        self._lived += interactions
        if self._lived >= self._next and self._tell is not None:
            self._next = self._lived + self._stride
            self._tell(self._lived, self._total)
