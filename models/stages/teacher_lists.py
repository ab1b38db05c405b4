"""The cloud's lists for every position of the histories, made once: the model that makes them is frozen.

They are made for the positions that the model was trained on, and are so better than those it will make of what it has
never seen (LSC4Rec's code does the same).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from models.lists import lists_after
from models.ranking import consumed
from models.reading import read, spans
from models.stages.course import Course
from scenarios.cache import atomic, content_key, home

STATES = 20_000
"""Positions whose states are held at once."""
CELLS = 4_000_000
"""Scores of a whole catalogue in a batch."""


@dataclass(frozen=True)
class Lists:
    """[places, L] the lists from everything before each place of the flat array of streams, best first.

    items: -1 where there are no more, and wherever no list was made: at the first place of a stream, and outside the
    histories. scores: 0 there.
    """

    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]

    def at(self, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """[N] places -> ([N, L] items, [N, L] scores)."""
        rows = places.cpu().numpy()
        items = torch.from_numpy(self.items[rows].astype(np.int64)).to(places.device)
        return items, torch.from_numpy(self.scores[rows]).to(places.device)


def teacher_lists(course: Course, length: int) -> Lists:
    """The lists for a course, from the cache or made now. Raises `WriteError` for a full disk."""
    population = course.population
    name = content_key("lists", course.teacher_key, population.history_end.tolist(), length)
    path = home() / "lists" / f"{name}.npz"
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
            return Lists(kept["items"], kept["scores"])
    except FileNotFoundError:
        pass
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        course.announce(f"{path}: damaged ({error}); made anew")
    lists = _make(course, min(length, population.behaviour.n_items))
    with atomic(path) as scratch, scratch.open("wb") as file:
        np.savez(file, allow_pickle=False, items=lists.items, scores=lists.scores)
    return lists


@torch.no_grad()
def _make(course: Course, length: int) -> Lists:
    population, llm = course.population, course.teacher()
    behaviour = population.behaviour
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    llm.to(device)
    items = np.full((len(behaviour.items), length), -1, np.int32)
    values = np.zeros(items.shape, np.float32)
    counts = np.maximum(population.history_end - 1, 0)
    users = np.flatnonzero(counts)
    chunks = np.array_split(users, max(1, min(len(users), -(-int(counts.sum()) // STATES))))
    with tqdm(
        total=int(counts.sum()), desc="the cloud's lists", unit=" lists", disable=course.silent, leave=False
    ) as bar:
        for some in chunks:
            seen = spans(np.ones_like(some), counts[some])
            streams = np.repeat(behaviour.offsets[some], counts[some])
            states = read(llm.encode, behaviour.items, streams + llm.contexts(seen), streams + seen, device)
            for rows in np.array_split(np.arange(len(seen)), -(-len(seen) * behaviour.n_items // CELLS)):
                places = streams[rows] + seen[rows]
                which, gone = map(torch.from_numpy, consumed(behaviour.items, streams[rows], places))
                ids, scores = lists_after(llm, states[rows], which.to(device), gone.to(device), length)
                items[places], values[places] = ids.cpu().numpy(), scores.cpu().numpy()
                bar.update(len(rows))
    return Lists(items, values)
