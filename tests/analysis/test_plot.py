"""A picture shows every point, says what did not settle, reads in grey, and is the same bytes each time."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.font_manager import fontManager

from analysis.curve import COLUMNS, EXTRA
from analysis.errors import TableError
from analysis.plot import ACCURACIES, COSTS, LOOKS, SETTINGS, _figure, draw


@pytest.fixture
def curve():
    rows = [("always", None, 1.0, 0.085), ("never", None, 0.0, 0.043)]
    rows += [("random", p, p, 0.06 + 0.02 * p) for p in (0.5, 0.1, 0.2)]
    rows += [("periodic", n, 1 / n, 0.06 + 0.03 / n) for n in (2, 5, 10)]
    table = pd.DataFrame(1.0, index=range(len(rows)), columns=[*COLUMNS, *EXTRA])
    table[["policy", "parameter", "requests_per_interaction", "ndcg_at_10"]] = pd.DataFrame(rows)
    for accuracy in ACCURACIES:
        table[accuracy] = table["ndcg_at_10"]
        table[f"{accuracy}_low"], table[f"{accuracy}_high"] = table[accuracy] - 0.004, table[accuracy] + 0.004
    for column, _ in COSTS.values():
        table[column] = 10 * table["requests_per_interaction"]
    table.loc[1, "latency_p95_ms"] = np.nan
    return table.assign(replications=3, settled=True)


def texts(figure):
    axes = figure.axes[0]
    return [text.get_text() for text in (*figure.texts, *axes.texts, *axes.get_legend().get_texts())]


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_curve_gives_the_same_bytes_whatever_the_users_settings(curve, kind, tmp_path):
    draw(curve, tmp_path / "a", title="Why?", kind=kind)
    with mpl.rc_context({"lines.linewidth": 9, "font.size": 30, "savefig.bbox": "tight"}):
        draw(curve.sample(frac=1, random_state=1), tmp_path / "b", title="Why?", kind=kind)
        assert mpl.rcParams["font.size"] == 30
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind]
    assert (tmp_path / "a").read_bytes().startswith(start)


@pytest.mark.parametrize("x", COSTS)
@pytest.mark.parametrize("y", ACCURACIES)
def test_all_axes_draw(curve, x, y, tmp_path):
    draw(curve, tmp_path / "curve.png", title="Why?", x=x, y=y, kind="png")
    assert (tmp_path / "curve.png").stat().st_size > 10_000


def test_a_line_runs_in_the_order_of_cost_and_the_legend_names_it(curve):
    figure = _figure(curve, "Why?", "requests", "ndcg_at_10")
    assert {"random", "periodic", "always ask", "device only", "Why?"} <= set(texts(figure))
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 3]
    assert lines
    for line in lines:
        assert (np.diff(line.get_xdata()) > 0).all()


def test_points_that_did_not_settle_are_hollow_and_noted(curve):
    assert not any("Hollow" in text for text in texts(_figure(curve, "", "requests", "ndcg_at_10")))
    curve["settled"] = curve["parameter"] != 0.5
    figure = _figure(curve, "", "requests", "ndcg_at_10")
    assert any("Hollow" in text for text in texts(figure))
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white" and len(line.get_xdata())]
    assert [line.get_xdata().tolist() for line in hollow] == [[5.0]]


def test_policies_differ_in_marker_and_dash_and_stand_out_on_white():
    assert len({look.marker for look in LOOKS}) == len({str(look.dash) for look in LOOKS}) == len(LOOKS)
    for look in LOOKS:
        red, green, blue = to_rgb(look.colour)
        assert 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.62


def test_a_curve_without_points_on_these_axes_is_refused(curve):
    only_device = curve[curve["policy"] == "never"]
    _figure(only_device, "", "latency", "mrr")
    with pytest.raises(TableError, match="no point"):
        _figure(only_device.assign(mrr=np.nan), "", "latency", "mrr")


def test_the_font_comes_with_matplotlib():
    assert fontManager.findfont(SETTINGS["font.family"], fallback_to_default=False).startswith(mpl.get_data_path())
