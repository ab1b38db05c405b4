"""A user's own interactions, checked row by row: `recfleet data import`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from scenarios.behaviour import Behaviour, FloatArray
from scenarios.datasets.assemble import assemble
from scenarios.datasets.kcore import k_core
from scenarios.datasets.tables import Rows, header, rows
from scenarios.errors import DataError

SHOWN = 5
"""So many bad rows are reported one by one; the rest are counted."""

TITLES = ("title", "movie_title", "name")
CATEGORIES = ("categories", "category", "genres", "genre", "class")


@dataclass(frozen=True)
class Columns:
    """Which column is what. The defaults are RecBole's names."""

    user: str = "user_id"
    item: str = "item_id"
    time: str = "timestamp"
    time_unit: Literal["s", "ms"] = "s"
    """Of numeric time stamps, since 1970-01-01 UTC; dates in ISO 8601 need none."""


def read(
    path: Path,
    columns: Columns = Columns(),
    items: Path | None = None,
    k: int | None = None,
    announce: Callable[[str], None] = lambda line: None,
) -> Behaviour:
    """Read interactions (CSV, Parquet or RecBole `.inter`), and a table of their items where there is one.

    Streams are sorted by time, rows of equal time in the file's order. With k, only the k-core is kept.
    Raises `DataError`, with line numbers, where any row is bad; `announce` gets what is odd but usable.
    """
    source = rows(path, [columns.user, columns.item, columns.time])
    if not len(source.places) and not source.broken:
        raise DataError(f"{path}: holds no interactions")
    users, user_empty = _labels(source.frame[columns.user])
    labels, item_empty = _labels(source.frame[columns.item])
    stamps = source.frame[columns.time]
    times, time_bad = _seconds(stamps, columns.time_unit, path)
    _refuse_bad_rows(
        path,
        source,
        [
            (user_empty, lambda row: f"{columns.user} is empty"),
            (item_empty, lambda row: f"{columns.item} is empty"),
            (
                time_bad,
                lambda row: f"{columns.time} is {_shown(stamps.iloc[row])}, expected a number or an ISO 8601 date",
            ),
        ],
    )
    if k is not None:
        kept = k_core(pd.factorize(users)[0], pd.factorize(labels)[0], k)
        if not kept.any():
            raise DataError(f"{path}: nothing is left of its {len(kept)} interactions in the {k}-core; use a smaller k")
        announce(f"{path}: the {k}-core keeps {kept.sum()} of {len(kept)} interactions")
        users, labels, times = users[kept], labels[kept], times[kept]
    table = None if items is None else _item_table(items, columns.item, labels, announce)
    about = {"source": path.name, "k_core": k}
    behaviour = assemble(path.name.partition(".")[0], users, labels, times, table, about)
    _remark(path, behaviour, announce)
    return behaviour


def _labels(column: pd.Series) -> tuple[pd.Series[str], npt.NDArray[np.bool_]]:
    """The column as labels without blanks around them, and where they are missing."""
    missing = column.isna()
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")  # whole numbers that a missing value has turned into floats
    text = column.astype(str).str.strip()
    return text, np.asarray(missing | (text == ""))


def _seconds(stamps: pd.Series, unit: str, path: Path) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Seconds since 1970, and which could not be read. Numbers or dates, whichever the column has more of."""
    if not pd.api.types.is_datetime64_any_dtype(stamps):
        numbers = pd.to_numeric(stamps, errors="coerce").astype(float).to_numpy()
        bad = np.asarray(~np.isfinite(numbers))
        if bad.sum() * 2 <= len(bad):
            typical = float(np.median(numbers[~bad])) if not bad.all() else 0.0
            if unit == "s" and typical > 1e11:  # the year 5138
                raise DataError(
                    f"{path}: time stamps such as {typical:.0f} look like milliseconds, give --time-unit ms"
                )
            return np.asarray(numbers / 1000 if unit == "ms" else numbers, np.float64), bad
    dates = pd.to_datetime(stamps, format="ISO8601", utc=True, errors="coerce")
    seconds = np.asarray((dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds(), np.float64)
    return seconds, np.asarray(~np.isfinite(seconds))


def _refuse_bad_rows(
    path: Path, source: Rows, checks: list[tuple[npt.NDArray[np.bool_], Callable[[int], str]]]
) -> None:
    bad = np.logical_or.reduce([mask for mask, _ in checks])
    count = int(bad.sum()) + len(source.broken)
    if not count:
        return
    reasons = {line: source.broken[line] for line in sorted(source.broken)[:SHOWN]}
    for row in np.flatnonzero(bad)[:SHOWN].tolist():
        reasons[int(source.places[row])] = ", ".join(say(row) for mask, say in checks if mask[row])
    lines = [f"  {source.unit} {place}: {reasons[place]}" for place in sorted(reasons)[:SHOWN]]
    if count > len(lines):
        lines.append(f"  and {count - len(lines)} more")
    total = len(source.places) + len(source.broken)
    raise DataError("\n".join([f"{path}: {count} of {total} rows are bad, nothing was written", *lines]))


def _shown(value: object) -> str:
    return "empty" if pd.isna(value) or not str(value).strip() else repr(str(value))  # type: ignore[call-overload]


def _item_table(path: Path, item: str, taken: pd.Series[str], announce: Callable[[str], None]) -> pd.DataFrame:
    """A row an item, indexed by label, columns title and categories; says what does not fit the interactions."""
    names = header(path)
    title = next((name for name in TITLES if name in names), None)
    categories = next((name for name in CATEGORIES if name in names), None)
    if title is None and categories is None:
        raise DataError(
            f"{path}: has neither titles nor categories, expected a column named one of {', '.join(TITLES)} or one of "
            f"{', '.join(CATEGORIES)}; its first line names {', '.join(names)}"
        )
    source = rows(path, [item, *(name for name in (title, categories) if name is not None)])
    labels, empty = _labels(source.frame[item])
    again = np.asarray(labels.duplicated()) & ~empty
    _refuse_bad_rows(
        path,
        source,
        [
            (empty, lambda row: f"{item} is empty"),
            (again, lambda row: f"{item} {labels.iloc[row]!r} stands in an earlier row too"),
        ],
    )
    table = pd.DataFrame({"title": "", "categories": ""}, index=pd.Index(labels.to_numpy()))
    for column, name in (("title", title), ("categories", categories)):
        if name is not None:
            text = source.frame[name].fillna("").astype(str).str.strip()
            if column == "categories" and names[name] == "token_seq":
                text = text.str.replace(" ", "|")
            table[column] = text.to_numpy()
    unknown = taken[~taken.isin(table.index)].unique()
    if len(unknown):
        announce(f"{path}: lacks {len(unknown)} items that users took (such as {unknown[0]!r}); they have no title")
    unused = int((~table.index.isin(taken)).sum())
    if unused:
        announce(f"{path}: {unused} of its {len(table)} items were taken by nobody and are left out")
    return table


def _remark(path: Path, behaviour: Behaviour, announce: Callable[[str], None]) -> None:
    single = int((behaviour.lengths == 1).sum())
    if single:
        announce(f"{path}: {single} of {behaviour.n_users} users have one interaction only; they cannot be replayed")
    owner = np.repeat(np.arange(behaviour.n_users), behaviour.lengths)
    repeats = int(pd.Series(owner * behaviour.n_items + behaviour.items).duplicated().sum())
    if repeats:
        announce(
            f"{path}: {repeats} of {len(behaviour.items)} interactions repeat an item of the same user; "
            f"taken items leave the lists, so these count as misses"
        )
