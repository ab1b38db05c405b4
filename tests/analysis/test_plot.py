"""A picture shows every point, says what did not settle, reads in grey, and is the same bytes each time."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.font_manager import fontManager

from analysis.curve import COLUMNS, EXTRA
from analysis.errors import TableError
from analysis.plot import ACCURACIES, BOUND, COSTS, CROWD, LOOKS, SETTINGS, _figure, draw


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


def crowd(curve, rivals):
    """As many rules as in a sweep of everything, and the oracle."""
    periodic = curve[curve["policy"] == "periodic"]
    names = [f"rule{i:02d}" for i in range(rivals)] + ["oracle"]
    more = [periodic.assign(policy=name, ndcg_at_10=periodic["ndcg_at_10"] + i / 500) for i, name in enumerate(names)]
    return pd.concat([curve[curve["policy"].isin(["never", "always"])], *more], ignore_index=True)


def test_a_crowd_is_told_apart_beside_the_picture_and_the_oracle_is_its_bound(curve):
    figure = _figure(crowd(curve, len(LOOKS)), "Why?", "requests", "ndcg_at_10")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    legend = axes.get_legend()
    looks = {(h.get_color(), h.get_marker(), str(h.get_linestyle())) for h in legend.legend_handles}
    assert len(looks) == len({colour for colour, _, _ in looks}) == len(LOOKS) + 1
    assert BOUND.colour in {colour for colour, _, _ in looks}
    assert legend.get_texts()[0].get_text() == "oracle (upper bound)"
    box, frame = legend.get_window_extent(), axes.get_window_extent()
    assert box.x0 > frame.x1
    assert box.x1 <= figure.bbox.x1
    assert box.y0 >= 0


def test_the_oracle_takes_no_rule_its_look(curve):
    def of(table, name):
        handles = _figure(table, "", "requests", "ndcg_at_10").axes[0].get_legend().legend_handles
        return next((h.get_color(), h.get_marker()) for h in handles if h.get_label().startswith(name))

    both = pd.concat([curve, curve[curve["policy"] == "random"].assign(policy="oracle")])
    assert of(both, "random") == of(curve, "random")
    assert of(both, "oracle") == (BOUND.colour, BOUND.marker)


@pytest.mark.parametrize("gap", [0.0, 0.0005, 0.04])
@pytest.mark.parametrize("rivals", [2, CROWD + 6])
def test_level_lines_are_named_where_their_points_are(curve, gap, rivals):
    """Where both lie at one height as well: above its star what always asking gets, below its dot what is for free."""
    table = crowd(curve, rivals)
    table.loc[table["policy"] == "never", "ndcg_at_10"] = 0.085 - gap
    figure = _figure(table, "", "requests", "ndcg_at_10")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts}
    always, never = boxes["always ask"], boxes["device only"]
    assert not always.overlaps(never)
    for box, x, y in ((always, 10.0, 0.085), (never, 10 * 0.0, 0.085 - gap)):
        at, height = axes.transData.transform((x, y))
        assert min(abs(box.x0 - at), abs(box.x1 - at)) < 30
        assert (box.y0 > height) == (box is always)


def test_a_curve_without_points_on_these_axes_is_refused(curve):
    only_device = curve[curve["policy"] == "never"]
    _figure(only_device, "", "latency", "mrr")
    with pytest.raises(TableError, match="no point"):
        _figure(only_device.assign(mrr=np.nan), "", "latency", "mrr")


def test_the_font_comes_with_matplotlib():
    assert fontManager.findfont(SETTINGS["font.family"], fallback_to_default=False).startswith(mpl.get_data_path())
