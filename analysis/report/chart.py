"""Charts as data, and as a still picture of that data.

A chart is drawn twice by the same rules: here, into the page, for readers without scripts and for print; and by
`templates/chart.js`, which takes the picture over and makes it answer to pointer and keyboard. A test in a browser
holds both to the same coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from matplotlib.typing import LineStyleType

from analysis.plot import BOUND, LOOKS

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 34, 44
"""Margins of the picture, in pixels."""
ROOM = 0.06
"""What is left free above and below the data, as a share of its range."""
TICKS = {"x": 72, "y": 34}
"""Pixels that a tick has to itself, at least."""
DECADES = 1.3
"""Powers of ten from which on a latency axis is logarithmic."""

SYMBOLS: Final = {
    "o": "M-4.2 0A4.2 4.2 0 1 0 4.2 0A4.2 4.2 0 1 0-4.2 0Z",
    "s": "M-3.8-3.8H3.8V3.8H-3.8Z",
    "^": "M0-5L4.7 3.6H-4.7Z",
    "D": "M0-5.2L5.2 0L0 5.2L-5.2 0Z",
    "v": "M0 5L4.7-3.6H-4.7Z",
    "P": "M-1.8-4.8H1.8V-1.8H4.8V1.8H1.8V4.8H-1.8V1.8H-4.8V-1.8H-1.8Z",
    "X": "M-4.6-2.4L-2.4-4.6L0-2.2L2.4-4.6L4.6-2.4L2.2 0L4.6 2.4L2.4 4.6L0 2.2L-2.4 4.6L-4.6 2.4L-2.2 0Z",
    "<": "M-5 0L3.6-4.7V4.7Z",
    "p": "M0-5L4.8-1.5L2.9 4.1H-2.9L-4.8-1.5Z",
    ">": "M5 0L-3.6-4.7V4.7Z",
    "h": "M0-4.9L4.2-2.4V2.4L0 4.9L-4.2 2.4V-2.4Z",
    "d": "M0-5.8L3.3 0L0 5.8L-3.3 0Z",
    ".": "M-2.4 0A2.4 2.4 0 1 0 2.4 0A2.4 2.4 0 1 0-2.4 0Z",
}
"""Marker of `analysis.plot` to the path that draws it around 0."""
INK: Final = "ink"
"""Colour class of what is no policy among others: never, always."""
ABOVE: Final = "bound"
"""Colour class of the oracle."""


@dataclass(frozen=True)
class Axis:
    """key: of a point's values. share: ticks in percent. zero: the axis begins at 0. log: it is logarithmic. limit: a
    line across the picture at this value, named `limited`."""

    key: str
    label: str
    share: bool = False
    zero: bool = False
    log: bool = False
    limit: float | None = None
    limited: str = ""


@dataclass(frozen=True)
class Point:
    """place: by axis key, None where there is none. low, high: ends of the intervals of some of them. tip: (name,
    value) as shown to the reader, in the order of `Chart.columns`."""

    name: str
    place: Mapping[str, float | None]
    tip: tuple[str, ...]
    low: Mapping[str, float | None] = field(default_factory=dict)
    high: Mapping[str, float | None] = field(default_factory=dict)
    hollow: bool = False


@dataclass(frozen=True)
class Look:
    """colour: class of the style sheet. symbol: path of a point's symbol. dash: lengths of a line's dashes."""

    colour: str
    symbol: str
    dash: str


@dataclass(frozen=True)
class Series:
    """A line. level: drawn across the whole picture at its first point's height. marks: whether its points have
    symbols. group: series of one group are toggled together, besides one by one."""

    name: str
    look: Look
    points: tuple[Point, ...]
    level: bool = False
    line: bool = True
    marks: bool = True
    shown: bool = True
    group: str = ""


@dataclass(frozen=True)
class Chart:
    """A picture of series, on axes that can be chosen; the first of each is drawn first."""

    id: str
    title: str
    x: tuple[Axis, ...]
    y: tuple[Axis, ...]
    series: tuple[Series, ...]
    columns: tuple[str, ...]
    note: str = ""

    def spec(self) -> dict[str, Any]:
        """What the script reads."""
        return asdict(self) | {"margins": [LEFT, RIGHT, TOP, BOTTOM], "room": ROOM, "ticks": TICKS, "height": HEIGHT}

    def rows(self) -> Iterator[tuple[str, Point]]:
        """Every point with the name of its series, for the table that says the same."""
        for series in self.series:
            for point in series.points:
                yield series.name, point


def look(place: int) -> Look:
    """Colour class, symbol and dash of the policy at this place of the order of names: as in `analysis.plot`, and still
    unlike each other where there are more policies than looks."""
    turn = place // len(LOOKS)
    dash = LOOKS[(place + 2 * turn) % len(LOOKS)].dash
    return Look(f"c{place % len(LOOKS)}", SYMBOLS[LOOKS[(place + turn) % len(LOOKS)].marker], _lengths(dash))


def bound() -> Look:
    """How the oracle is drawn, as in `analysis.plot`."""
    return Look(ABOVE, SYMBOLS[BOUND.marker], _lengths(BOUND.dash))


def _lengths(dash: LineStyleType) -> str:
    lengths = dash[1] if isinstance(dash, tuple) and dash[1] else ()
    return " ".join(f"{2 * length:g}" for length in lengths)


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` onto pixels from `start` to `stop`."""

    low: float
    high: float
    start: float
    stop: float
    log: bool

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        at = math.log10(max(value, 1e-12)) if self.log else value
        return round(self.start + (at - low) / (high - low) * (self.stop - self.start), 2)


def extent(values: Sequence[float], axis: Axis) -> tuple[float, float]:
    """The range of an axis that shows all values."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if axis.log:
        low = max(low, 1e-12)
        low, high = math.log10(low), math.log10(max(high, low))
    if axis.zero:
        low = min(0.0, low)
    room = ROOM * (high - low) or abs(high) / 10 or 1.0
    low, high = (low if axis.zero and low == 0 else low - room), high + room
    return (10**low, 10**high) if axis.log else (low, high)


def ticks(low: float, high: float, most: int, log: bool) -> list[float]:
    """Round values in a range: multiples of 1, 2 or 5 times a power of ten, or on a logarithmic axis these."""
    if log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for steps in ((1, 2, 5), (1, 3), (1,)):
            found = [step * 10.0**power for power in powers for step in steps]
            found = [value for value in found if low <= value <= high]
            if len(found) <= most + 1:
                break
        return found
    rough = (high - low) / max(most, 1)
    base = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * base for factor in (1, 2, 5, 10) if factor * base >= rough * (1 - 1e-9))
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def tick_label(value: float, found: Sequence[float], axis: Axis) -> str:
    """A tick in words, with as many places as tell it from the next."""
    factor = 100.0 if axis.share else 1.0
    step = value if axis.log or len(found) < 2 else found[1] - found[0]
    places = max(0, -math.floor(math.log10(abs(step * factor)) + 1e-9)) if step else 0
    return f"{value * factor:,.{places}f}".replace("-", "\N{MINUS SIGN}") + ("%" if axis.share else "")


def still(chart: Chart, width: int = WIDTH, height: int = HEIGHT) -> dict[str, Any]:
    """Everything that the template needs to draw the chart on its first axes."""
    across, up = chart.x[0], chart.y[0]
    shown = [series for series in chart.series if series.shown]
    points = [point for series in shown for point in series.points]
    heights = [ends.get(up.key) for point in points for ends in (point.place, point.low, point.high)]
    widths = [point.place.get(across.key) for point in points]
    x = Scale(*extent(_known([*widths, across.limit]), across), LEFT, width - RIGHT, across.log)
    y = Scale(*extent(_known([*heights, up.limit]), up), height - BOTTOM, TOP, up.log)
    x_ticks = ticks(x.low, x.high, (width - LEFT - RIGHT) // TICKS["x"], across.log)
    y_ticks = ticks(y.low, y.high, (height - TOP - BOTTOM) // TICKS["y"], up.log)
    return {
        "width": width,
        "height": height,
        "box": {"left": LEFT, "right": width - RIGHT, "top": TOP, "bottom": height - BOTTOM},
        "x_ticks": [(x(value), tick_label(value, x_ticks, across)) for value in x_ticks],
        "y_ticks": [(y(value), tick_label(value, y_ticks, up)) for value in y_ticks],
        "limit": {"x": _at(x, across.limit), "y": _at(y, up.limit)},
        "drawn": [_drawn(series, across.key, up.key, x, y) for series in shown],
    }


def _drawn(series: Series, across: str, up: str, x: Scale, y: Scale) -> dict[str, Any]:
    """Paths and places of one series, in pixels."""
    known = enumerate(series.points)
    placed = sorted((at, i, point) for i, point in known if (at := point.place.get(across)) is not None)
    dots, ends = [], []
    for at, _, point in placed:
        height, low, high = (side.get(up) for side in (point.place, point.low, point.high))
        dots.append((x(at), None if height is None else y(height), point.hollow))
        if low is not None and high is not None:
            ends.append((x(at), y(low), y(high)))
    bars = f"M{ends[0][0]:g} {ends[0][1]:g}V{ends[0][2]:g}" if len(ends) == 1 else ""
    outline = [(at, low) for at, low, _ in ends] + [(at, high) for at, _, high in reversed(ends)]
    level = series.points[0].place.get(up) if series.level else None
    return {
        "series": series,
        "line": _path([dot[:2] for dot in dots]) if series.line and len(dots) > 1 else "",
        "band": _path(outline) + "Z" if len(ends) > 1 else "",
        "bar": bars,
        "dots": [dot for dot in dots if dot[1] is not None] if series.marks else [],
        "level": None if level is None else y(level),
    }


def _at(scale: Scale, value: float | None) -> float | None:
    return None if value is None else scale(value)


def _path(corners: Iterable[tuple[float, float | None]]) -> str:
    """A line through all corners, lifted where there is no height."""
    path, pen = "", "M"
    for at, height in corners:
        if height is not None:
            path += f"{pen}{at:g} {height:g}"
        pen = "M" if height is None else "L"
    return path


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
