"""What a data set is like, in the lines that `recfleet data describe` prints."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from scenarios.behaviour import Behaviour


def describe(behaviour: Behaviour) -> list[tuple[str, str]]:
    """Label and text of each line: sizes, stream lengths, period, ties, popularity, texts, origin, terms."""
    lengths, n = behaviour.lengths, len(behaviour.items)
    owners = np.repeat(np.arange(behaviour.n_users), lengths)
    gaps = np.diff(behaviour.times)[np.diff(owners) == 0]
    taken = np.sort(np.bincount(behaviour.items, minlength=behaviour.n_items))[::-1]
    repeats = pd.Series(owners * behaviour.n_items + behaviour.items).duplicated().mean()
    first, last = (datetime.fromtimestamp(moment, UTC) for moment in (behaviour.times.min(), behaviour.times.max()))
    lines = [
        ("name", behaviour.name),
        ("users", f"{behaviour.n_users:,}"),
        ("items", f"{behaviour.n_items:,}, {_share((behaviour.catalogue['title'] != '').mean())} with a title"),
        ("interactions", f"{n:,}, {_share(n / behaviour.n_users / behaviour.n_items)} of all user-item pairs"),
        ("a user", f"{lengths.min()} to {lengths.max()} interactions, median {np.median(lengths):g}"),
        ("too short", f"{(lengths < 3).sum():,} users have fewer than 3 interactions and can only train"),
        ("period", f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"),
        ("popularity", f"the 10 items taken most make {_share(taken[:10].sum() / n)} of all interactions"),
        ("repeats", f"{_share(repeats)} of interactions are of an item that the same user took before"),
    ]
    if len(gaps):
        tied = (gaps == 0).mean()
        lines.insert(7, ("gaps", f"median {_duration(float(np.median(gaps)))}, {_share(tied)} at the same moment"))
    wanted = ("source", "fetched_from", "k_core", "terms", "citation")
    lines += [(key.replace("_", " "), str(behaviour.about[key])) for key in wanted if behaviour.about.get(key)]
    return [*lines, ("content", behaviour.digest[:20])]


def _share(value: float) -> str:
    return f"{100 * value:.3g}%"


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
