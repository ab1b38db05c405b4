"""A chart shows every point at its place, with round ticks, in looks that can be told apart, in light and in dark."""

import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from analysis.plot import LOOKS
from analysis.report.chart import (
    SYMBOLS,
    Axis,
    Chart,
    Point,
    Scale,
    Series,
    bound,
    extent,
    look,
    still,
    tick_label,
    ticks,
)
from analysis.report.curves import looks
from analysis.report.page import TEMPLATES

numbers = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda value: float(f"{value:.6g}"))


@given(st.lists(numbers, min_size=1, max_size=6), st.booleans(), st.booleans())
def test_every_value_lies_in_the_range_of_its_axis(values, zero, log):
    if log:
        values = [abs(value) + 1e-3 for value in values]
    low, high = extent(values, Axis("x", "", zero=zero and not log, log=log))
    assert low < high
    scale = Scale(low, high, 50, 700, log)
    for value in values:
        assert 50 - 0.01 <= scale(value) <= 700.01
    if zero and not log and min(values) >= 0:
        assert low == 0


@given(numbers, st.floats(1e-6, 1e6), st.integers(2, 12))
def test_ticks_are_round_lie_in_the_range_and_have_labels_of_their_own(low, width, most):
    assume(width > 1e-6 * abs(low))
    found = ticks(low, low + width, most, log=False)
    assert len(found) <= most + 1
    assert all(low - 1e-6 * width <= value <= low + 1.000_001 * width for value in found)
    for axis in (Axis("x", ""), Axis("x", "", share=True)):
        labels = [tick_label(value, found, axis) for value in found]
        assert len(set(labels)) == len(labels)
        for value, label in zip(found, labels, strict=True):
            said = float(label.replace(",", "").replace("\N{MINUS SIGN}", "-").rstrip("%")) / (100 if axis.share else 1)
            assert said == pytest.approx(value, rel=1e-6, abs=1e-6 * width)


@given(st.floats(1e-3, 1e3), st.floats(1.5, 1e6), st.integers(3, 9))
def test_logarithmic_ticks_lie_in_the_range_and_rise(low, factor, most):
    found = ticks(low, low * factor, most, log=True)
    assert found == sorted(set(found))
    assert all(low <= value <= low * factor for value in found)
    if factor >= 100:
        assert found


def test_looks_are_those_of_the_picture_and_stay_apart():
    for place, first in enumerate(LOOKS):
        assert look(place).colour == f"c{place}"
        assert look(place).symbol == SYMBOLS[first.marker]
    for one, other in combinations(map(look, range(40)), 2):
        assert (one.colour, one.symbol) != (other.colour, other.symbol)


def palettes():
    light, dark = (TEMPLATES / "report.css").read_text().split("@media screen and (prefers-color-scheme: dark)")[:2]
    read = re.compile(r"--(\w+(?:-\w+)?): (#[0-9a-f]{6})")
    both = dict(read.findall(light[: light.index("}")]))
    return both, both | dict(read.findall(dark[: dark.index("}")]))


def contrast(first, second):
    """Contrast ratio of two colours (WCAG 2.1)."""
    lights = []
    for colour in (first, second):
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
        lights.append(np.dot([0.2126, 0.7152, 0.0722], parts))
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize("palette", palettes(), ids=["light", "dark"])
def test_text_and_lines_stand_out(palette):
    for text in ("ink", "quiet"):
        for ground in ("page", "card"):
            assert contrast(palette[text], palette[ground]) >= 4.5
    assert contrast(palette["warn"], palette["warn-page"]) >= 4.5
    for name in ["bound", *(f"c{i}" for i in range(len(LOOKS)))]:
        assert contrast(palette[name], palette["card"]) >= 2.8


def test_light_colours_are_those_of_the_picture():
    assert [palettes()[0][f"c{i}"] for i in range(len(LOOKS))] == [each.colour for each in LOOKS]


def test_a_still_picture_places_points_breaks_gaps_and_leaves_out_what_is_hidden():
    def point(x, y, low=None, high=None):
        return Point("p", {"x": x, "y": y}, (), {"y": low}, {"y": high})

    points = (point(2.0, 1.0, 0.5, 1.5), point(0.0, 0.0, -0.5, 0.5), point(1.0, None), point(3.0, 2.0))
    shown = Series("shown", look(0), points)
    hidden = Series("hidden", look(1), (point(99.0, 99.0),), shown=False)
    level = Series("level", look(2), (Point("l", {"x": None, "y": 1.0}, ()),), level=True)
    chart = Chart("id", "", (Axis("x", ""),), (Axis("y", ""),), (shown, hidden, level), ())
    drawn = still(chart)["drawn"]
    assert [each["series"].name for each in drawn] == ["shown", "level"]
    first, flat = drawn
    places = [x for x, _, _ in first["dots"]]
    assert places == sorted(places)
    assert len(places) == 3
    assert first["line"].count("M") == 2  # lifted over the point without a height
    assert first["band"].endswith("Z")
    assert flat["level"] is not None
    assert flat["dots"] == []
    assert still(chart)["x_ticks"][0][1] == "0.0"


def test_a_limit_lies_in_the_picture_beside_what_it_limits():
    points = (Point("p", {"x": 1.0, "y": 10.0}, ()), Point("p", {"x": 2.0, "y": 20.0}, ()))
    axes = (
        (Axis("x", "", limit=1.5, limited="objective"),),
        (Axis("y", "", zero=True, limit=50.0, limited="objective"),),
    )
    drawn = still(Chart("id", "", *axes, (Series("s", look(0), points),), ()))
    box, limit = drawn["box"], drawn["limit"]
    (first, _, _), (last, height, _) = drawn["drawn"][0]["dots"]
    assert limit["x"] == pytest.approx((first + last) / 2, abs=0.02)
    assert box["top"] < limit["y"] < height


def test_the_oracle_has_no_policys_look():
    assert bound().colour not in {look(place).colour for place in range(40)}
    assert looks(["a", "oracle", "z"])["z"] == looks(["a", "z"])["z"]
