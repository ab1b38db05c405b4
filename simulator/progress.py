"""How far a run is, told now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Tell = Callable[[int], None]
"""Called with the interactions lived through since the last call; in the end they add up to those of the run."""
TELLINGS = 500


class Progress:
    """Counts interactions, and tells of them some hundred times over a run."""

    def __init__(self, total: int, tell: Tell | None) -> None:
        self.done = 0
        """Interactions counted."""
        self._total = self._left = total
        self._tell = tell
        self._stride = max(total // TELLINGS, 1)
        self._untold = 0

    def add(self, interactions: int) -> None:
        """Count interactions that devices have lived through, or will not come to."""
        self.done += interactions
        self._untold += interactions
        if self._tell is not None and self._untold and self._untold >= min(self._stride, self._left):
            self._left -= self._untold
            self._tell(self._untold)
            self._untold = 0

    @property
    def left(self) -> int:
        """Interactions that have not come yet."""
        return self._total - self.done


@contextmanager
def bar(label: str, total: int, quiet: bool, unit: str = "interactions") -> Iterator[Tell | None]:
    """A progress bar over interactions, or over what else there are so many of."""
    if quiet or not total:
        yield None
        return
    with tqdm(total=total, desc=label, unit=f" {unit}", unit_scale=True, leave=False) as bar:

        def tell(interactions: int) -> None:
            bar.update(interactions)

        yield tell
