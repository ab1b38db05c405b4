"""How good lists were at each age: the outcomes of a run by how many clicks ago the list was made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from simulator.accuracy import worth
from simulator.outcomes import NOTHING
from simulator.shown import Shown

SUMS = ("interactions", "hits_at_10", "ndcg_at_10", "reciprocal_rank")


class Ages:
    """Counts what devices show, by age; memory is by age, and by interaction of a piece at most."""

    def __init__(self) -> None:
        self._sums = np.zeros((len(SUMS), 1))
        """[sums, 1 + ages], the first without a list."""
        self._worth = (None, *worth(1 << 16))

    def watch(self, pieces: Iterable[Shown]) -> Iterator[Shown]:
        """Pass on all pieces, and count them."""
        for piece in pieces:
            self._count(piece)
            yield piece

    def _count(self, piece: Shown) -> None:
        length = piece.lengths
        origin = np.cumsum(length) - length - (piece.start - piece.cut)
        age = np.arange(len(piece.ranks)) - np.repeat(origin, length)
        place = np.where(np.repeat(piece.cut != NOTHING, length), age + 1, 0)
        found = [np.bincount(place, None if table is None else table[piece.ranks]) for table in self._worth]
        wider = max(len(found[0]) - self._sums.shape[1], 0)
        self._sums = np.pad(self._sums, ((0, 0), (0, wider)))
        self._sums[:, : len(found[0])] += found

    def table(self) -> pd.DataFrame:
        """The ages of docs/design.md."""
        sums = self._sums
        there = np.flatnonzero(sums[0])
        columns = dict(zip(SUMS, sums[:, there], strict=True))
        table = pd.DataFrame({"age": there - 1, **columns})
        return table.astype({"interactions": np.int64})
