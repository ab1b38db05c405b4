"""The store of outcomes that the simulator reads: filled in batches, shared by every run, kept on disk.

Without torch: models are opened when the first outcome is missing, and never where all are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from models.arena import Arena, Load
from scenarios.behaviour import IntArray
from scenarios.cache import outcomes_limit, trim

if TYPE_CHECKING:
    from models.blocks import Blocks

Tell = Callable[[int], object]
"""Takes how many more outcomes are made."""
NOTHING = -1
"""The cut of a device that holds no list."""
SHORTEST = 3
"""Clicks after a list that its block spans at least: answers may come late, and models are slow to be asked again."""
PIECE = 1_000_000
"""Outcomes that are made before they are laid down; bounds the memory between models and store."""


class OutcomeStore:
    """Ranks and signals of (user, cut, step); fulfils `simulator.outcomes.Outcomes`.

    steps: [users] replayed interactions. answer_items: items in an answer of the cloud. signals: names of those kept.
    folder: where they are kept. open_models: gives the maker of outcomes; called when the first is missing.
    """

    def __init__(
        self,
        steps: IntArray,
        answer_items: int,
        signals: Sequence[str],
        precision: str,
        folder: Path,
        open_models: Callable[[], Blocks],
        announce: Callable[[str], None],
        progress: bool = False,
    ) -> None:
        self._steps, self._answer_items, self._signals = steps, answer_items, tuple(signals)
        self._folder, self._open_models, self._progress = folder, open_models, progress
        self._blocks: Blocks | None = None
        # A user has a row for each cut, after one for holding nothing.
        self._row = np.cumsum(steps + 1) - steps
        columns: dict[str, npt.DTypeLike] = {"ranks": np.uint16, **dict.fromkeys(signals, np.dtype(precision))}
        self._arena = Arena(int((steps + 1).sum()), columns)
        self._arena.open(folder, announce)
        outcomes_limit()  # a wrong one is told before any work

    def __getstate__(self) -> dict[str, Any]:
        """For another process: what was made comes along, what makes it does not."""
        return {**self.__dict__, "_blocks": None, "_progress": False}

    @property
    def steps(self) -> IntArray:
        """[users] replayed interactions of each user's stream."""
        return self._steps

    @property
    def answer_items(self) -> int:
        """Items in an answer of the cloud."""
        return self._answer_items

    def ensure(self, users: IntArray, cuts: IntArray, until: IntArray) -> None:
        """Make what is missing of outcome(users[i], cuts[i], step) for cuts[i] <= step < until[i], in one batch.

        Where no list is held (cut `NOTHING`), and wherever a block has to be made, more steps are made than asked for.
        """
        rows, wanted = self._row[users] + cuts, until - np.maximum(cuts, 0)
        short = np.flatnonzero(wanted > self._arena.lengths[rows])
        if not len(short):
            return
        # A row may be asked for more than once: the longest wish counts.
        short = short[np.lexsort((wanted[short], rows[short]))]
        short = short[np.append(np.diff(rows[short]) > 0, True)]
        users, cuts, wanted = users[short], cuts[short], wanted[short]
        if (wanted > self._steps[users] - np.maximum(cuts, 0)).any():
            raise IndexError("an outcome was asked for beyond the end of a stream")
        lengths = 1 + rounded(np.maximum(wanted - 1, SHORTEST))
        lengths = np.minimum(lengths, self._steps[users] - np.maximum(cuts, 0))
        with tqdm(
            total=int(lengths.sum()),
            desc="asking the models",
            unit=" outcomes",
            unit_scale=True,
            delay=1.0,
            leave=False,
            disable=not self._progress,
        ) as bar:
            for piece in np.split(np.arange(len(rows := self._row[users] + cuts)), _edges(lengths)):
                self._make(rows[piece], users[piece], cuts[piece], lengths[piece], bar.update)

    def _make(self, rows: IntArray, users: IntArray, cuts: IntArray, lengths: IntArray, tell: Tell) -> None:
        if self._blocks is None:
            self._blocks = self._open_models()
        none = cuts == NOTHING
        if none.any():
            ranks = self._blocks.alone(users[none], lengths[none], tell)
            signals = {name: np.zeros(len(ranks)) for name in self._signals}
            self._arena.add(rows[none], lengths[none], {"ranks": ranks, **signals})
        if not none.all():
            some = ~none
            rows, cuts, lengths = rows[some], cuts[some], lengths[some]
            # What was made of a block stays, and the rest is put behind it.
            had = self._arena.lengths[rows]
            made = self._blocks.held(users[some], cuts, cuts + lengths, tell, cuts + had)
            values: dict[str, npt.NDArray[Any]] = {"ranks": made.ranks, **made.signals}
            if had.any():
                old = np.repeat(np.tile([True, False], len(rows)), np.stack([had, lengths - had], 1).ravel())
                for name, new in values.items():
                    values[name] = np.empty(len(old), new.dtype)
                    values[name][old] = self._arena.gather(name, self._arena.offsets[rows], had)
                    values[name][~old] = new
            self._arena.add(rows, lengths, values)

    def signal(self, name: str, user: int, cut: int, start: int, stop: int) -> npt.NDArray[Any]:
        """[stop - start] a request signal at steps start .. stop - 1, for cut >= 0; made if missing."""
        row = self._row[user] + cut
        if stop - cut > self._arena.lengths[row]:
            self.ensure(np.array([user]), np.array([cut]), np.array([stop]))
        first = self._arena.offsets[row] - cut
        return self._arena.read(name, first + start, stop - start)

    def signals(
        self, name: str, users: IntArray, cuts: IntArray, starts: IntArray, stops: IntArray
    ) -> npt.NDArray[Any]:
        """[sum(stops - starts)] a request signal over many runs of steps, one after the other; made if missing."""
        self.ensure(users, cuts, stops)
        firsts = self._arena.offsets[self._row[users] + cuts] - cuts
        return self._arena.gather(name, firsts + starts, stops - starts)

    def ranks(self, users: IntArray, cuts: IntArray, starts: IntArray, stops: IntArray) -> npt.NDArray[np.uint16]:
        """[sum(stops - starts)] ranks over many runs of steps, one after the other; made if missing."""
        self.ensure(users, cuts, stops)
        firsts = self._arena.offsets[self._row[users] + cuts] - np.maximum(cuts, 0)
        ranks: npt.NDArray[np.uint16] = self._arena.gather("ranks", firsts + starts, stops - starts)
        return ranks

    @property
    def store(self) -> OutcomeStore:
        """This one, below everything."""
        return self

    def begun(self, users: IntArray) -> npt.NDArray[np.bool_]:
        """[n] whether anything was made of lists of these users' first step."""
        return np.asarray(self._arena.lengths[self._row[users]] > 0)

    def unload(self) -> Load:
        """What was made and is on no disk yet, for the store of another process."""
        return self._arena.unload()

    def load(self, load: Load) -> None:
        """Take what the store of another process unloaded."""
        self._arena.load(load)

    def refresh(self) -> None:
        """Take over what other processes have made since. Raises `WriteError` where the folder cannot be made."""
        self._arena.refresh(self._folder)

    def flush(self) -> None:
        """Keep on disk what was made since the last time. Raises `UserError` where that cannot be written.

        Where stored outcomes then take more than their limit, those that were longest unused go.
        """
        if self._arena.unsaved:
            self._arena.save(self._folder)
            trim(self._folder.parent, outcomes_limit(), self._folder)


def rounded(counts: IntArray) -> IntArray:
    """[N] the next of 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, ...: few lengths, none half as long again as it need be."""
    half = 1 << np.maximum(np.frexp(np.maximum(counts - 1, 1))[1].astype(np.int64) - 2, 0)
    rounded_up: IntArray = -(-counts // half) * half
    return rounded_up


def _edges(lengths: IntArray) -> IntArray:
    """Where to cut blocks into pieces of about `PIECE` outcomes."""
    return np.flatnonzero(np.diff(np.cumsum(lengths) // PIECE)) + 1
