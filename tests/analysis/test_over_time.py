"""A picture over time draws rates and means as they are, averages replications, and is the same bytes each time."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from analysis.errors import TableError
from analysis.over_time import COLUMNS, FEWEST, PANELS, SMOOTHED, Run, Span, _figure, course, draw


def series(windows: int = 40, width: float = 10.0, level: float = 1.0) -> pd.DataFrame:
    """Made up: as many people in each window, quantities that rise or fall by it."""
    table = pd.DataFrame(level, index=range(windows), columns=COLUMNS)
    table["from_s"] = width * np.arange(windows)
    table["until_s"] = table["from_s"] + width
    table["interactions"] = 50.0
    table["answered"] = np.arange(windows) * level
    return table


def test_counts_are_told_by_the_second_whatever_the_width_of_a_window() -> None:
    narrow, wide = course([series(width=5)]), course([series(width=20)])
    assert narrow["interactions"].tolist() == pytest.approx([10.0] * 40)
    assert wide["interactions"].tolist() == pytest.approx([2.5] * 40)
    assert wide["at_s"].tolist() == pytest.approx([20 * i + 10 for i in range(40)])


def test_replications_are_averaged_and_one_that_says_nothing_of_a_window_does_not_count_there() -> None:
    first, second = series(level=2.0), series(level=4.0)
    second.loc[3, "latency_p95_s"] = np.nan
    mean = course([first, second])
    assert mean["latency_p95_s"].tolist() == pytest.approx([3, 3, 3, 2, *[3] * 36])
    assert mean["answered"].tolist() == pytest.approx([0.3 * i for i in range(40)])


def test_replications_with_other_windows_meet_at_the_middles_of_the_longest() -> None:
    fine, coarse = series(windows=80, width=5), series(windows=40, width=10)
    fine["waiting"], coarse["waiting"] = fine["from_s"] + 2.5, coarse["from_s"] + 5.0  # the same straight line
    mean = course([fine, coarse])
    assert mean["waiting"].tolist() == pytest.approx(mean["at_s"].tolist())
    assert len(mean) == 40


def test_a_last_window_that_is_but_a_stub_is_left_out() -> None:
    table = series()
    table.loc[39, "until_s"] = table.loc[39, "from_s"] + 1e-6
    assert len(course([table])) == 39
    assert course([table])["answered"].max() < 10


def test_accuracy_is_that_of_people_and_not_of_windows() -> None:
    table = series()
    table["ndcg_at_10"], table["interactions"] = 0.1, 100.0
    table.loc[20, ["ndcg_at_10", "interactions"]] = 0.9, 10.0
    table.loc[30:, "interactions"] = 100 * FEWEST / 2
    mean = course([table])["ndcg_at_10"]
    assert mean[20] == pytest.approx((4 * 100 * 0.1 + 10 * 0.9) / 410)
    assert mean[[10, 30 + SMOOTHED]].isna().tolist() == [False, True]


def test_every_panel_has_a_line_a_run_and_the_cause_is_shaded_where_it_was() -> None:
    runs = [Run("storm", [series()]), Run("healed", [series(level=2), series(level=4)])]
    figure = _figure(runs, "Why?", [Span("outage", 60, 120), Span("crash", 200, 300)])
    panels = figure.axes
    assert len(panels) == len(PANELS) + 1
    for axes in panels[:-1]:
        shaded = [edge for p in axes.patches for edge in (p.get_x(), p.get_x() + p.get_width())]
        assert shaded == pytest.approx([1, 2, 200 / 60, 5])
    assert np.asarray(panels[0].lines[0].get_ydata()) == pytest.approx([5.0] * 40)
    assert np.asarray(panels[3].lines[1].get_ydata()) == pytest.approx([3.0] * 40)
    assert np.asarray(panels[-1].lines[0].get_xdata()) == pytest.approx([5.0] * 40)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["storm", "healed", "outage", "crash"]
    assert same_color(legend.legend_handles[2].get_facecolor(), panels[0].patches[0].get_facecolor())
    assert "2 replications" in figure.texts[-1].get_text()


def test_the_objective_is_drawn_where_latency_is_and_nowhere_else() -> None:
    figure = _figure([Run("storm", [series()])], "Why?", [], objective_s=2.5)
    for name, axes in zip(PANELS, figure.axes, strict=False):
        levels = [line for line in axes.lines if list(line.get_ydata()) == [2.5, 2.5]]
        assert len(levels) == (name == "latency_p95_s")
        assert not levels or axes.get_ylim()[0] <= 2.5 <= axes.get_ylim()[1]


def test_the_same_tables_give_the_same_bytes_whatever_the_users_settings(tmp_path) -> None:
    runs = [Run("storm", [series()])]
    draw(runs, tmp_path / "a", title="Why?", kind="svg")
    with mpl.rc_context({"lines.linewidth": 9, "font.size": 30}):
        draw(runs, tmp_path / "b", title="Why?", kind="svg")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_run_that_asks_nothing_is_drawn_and_one_that_never_was_is_not(tmp_path) -> None:
    quiet = series().assign(sent=0, answered=0, latency_p95_s=np.nan, staleness=np.nan)
    draw([Run("never", [quiet])], tmp_path / "a.png", title="Why?", kind="png")
    nothing = quiet.iloc[:1].assign(until_s=0.0, interactions=0, utilisation=np.nan, replicas_up=np.nan)
    with pytest.raises(TableError, match="no run lasted"):
        draw([Run("nobody", [nothing])], tmp_path / "b.png", title="Why?", kind="png")


def test_the_last_stragglers_are_left_out() -> None:
    """Ten windows with all but a hundredth of what people do, and then days in which a few come back."""
    table = series()
    table["interactions"] = [1000.0] * 10 + [1.0] * 30
    figure = _figure([Run("storm", [table])], "Why?", [])
    assert all(max(axes.lines[0].get_xdata()) < 110 for axes in figure.axes[:-1])
    assert figure.axes[0].get_xlim()[1] < 110
    assert "99%" in figure.texts[-1].get_text()
