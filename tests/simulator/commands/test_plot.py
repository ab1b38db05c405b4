"""`recfleet plot` redraws finished results and says in one line what is wrong with others."""

import click
import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from made_up import make

from analysis import over_time
from analysis import plot as pictures
from analysis.curve import COLUMNS, EXTRA, to_csv
from analysis.errors import TableError
from scenarios.errors import UserError
from scenarios.load import LIBRARY, dump, load
from scenarios.schema import Scenario
from simulator.commands import plot
from simulator.policies import AnyPolicy


@pytest.fixture
def results(tmp_path):
    table = pd.DataFrame(0.5, index=range(3), columns=[*COLUMNS, *EXTRA])
    table = table.assign(policy="random", replications=1, settled=True, requests_per_interaction=[0.1, 0.2, 0.3])
    (tmp_path / "curve.csv").write_text(to_csv(table))
    (tmp_path / "scenario.yaml").write_text("name: small\nquestion: Does it draw?\n")
    return tmp_path


def recfleet_plot(*arguments):
    return CliRunner().invoke(plot.command, [str(argument) for argument in arguments], catch_exceptions=False)


def test_the_commands_choices_are_those_of_the_pictures():
    assert tuple(pictures.COSTS) == plot.COSTS
    assert tuple(pictures.ACCURACIES) == plot.ACCURACIES


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((), "curve.png"),
        (("--format", "pdf"), "curve.pdf"),
        (("--x", "latency", "--y", "mrr", "--format", "svg"), "curve-latency-mrr.svg"),
    ],
)
def test_it_draws_beside_the_curve(results, arguments, name):
    assert recfleet_plot(results, *arguments).output.strip() == str(results / name)
    assert (results / name).stat().st_size > 5000


def test_the_ending_of_out_is_the_format(results):
    recfleet_plot(results, "--out", results / "new" / "picture.svg")
    assert (results / "new" / "picture.svg").read_text().startswith("<?xml")
    with pytest.raises(UserError, match="gif"):
        recfleet_plot(results, "--out", results / "picture.gif")


def test_what_is_missing_is_named(results):
    (results / "scenario.yaml").write_text("- 1")
    with pytest.raises(UserError, match=r"scenario\.yaml"):
        recfleet_plot(results)
    (results / "curve.csv").unlink()
    with pytest.raises(UserError, match="no curve"):
        recfleet_plot(results)


def told(folder):
    """Give every cell of made-up results a series."""
    table = pd.DataFrame(1.0, index=range(30), columns=over_time.COLUMNS)
    table["from_s"], table["until_s"] = 10.0 * np.arange(30), 10.0 * np.arange(1, 31)
    for cell in (folder / "cells").iterdir():
        table.to_parquet(cell / "series.parquet")
    return folder


@pytest.fixture
def lived(tmp_path):
    return told(make(tmp_path / "lived", users=5))


@pytest.fixture
def drawn(monkeypatch):
    """What was to be drawn, in the order of the runs' names, and the spans."""
    found = []
    real = over_time.draw

    def draw(runs, path, *, spans, **more):
        found.append(({run.label: len(run.series) for run in runs}, spans))
        real(runs[:1], path, spans=spans, **more)

    monkeypatch.setattr(over_time, "draw", draw)
    return found


def test_over_time_a_point_of_the_sweep_is_a_line_of_its_replications(lived, drawn):
    found = recfleet_plot(lived, "--over-time", "--format", "svg")
    assert found.output.strip().endswith(str(lived / "over-time.svg"))
    assert drawn == [({"never": 2, "random 0.2": 2, "periodic 5": 2, "learned 0.3": 2, "always": 2}, [])]
    assert "11 points cannot be told apart" in found.output, "of three a policy the middle one is drawn"


def test_several_folders_are_drawn_into_one_picture(tmp_path, drawn):
    first = make(tmp_path / "first", {"never": [None], "always": [None]}, users=5)
    second = make(tmp_path / "second", {"always": [None]}, users=5)
    told(first), told(second)
    assert recfleet_plot(first, second, "--over-time").output.strip() == str(first / "over-time-second.png")
    assert list(drawn[0][0]) == ["first: never", "first: always", "second"]


def test_what_does_not_go_together_is_said(lived):
    for wrong in ((lived, lived), (lived, "--over-time", "--x", "gpu")):
        with pytest.raises(click.UsageError):
            plot.command.main([str(each) for each in wrong], standalone_mode=False)
    next((lived / "cells").glob("*/series.parquet")).unlink()
    with pytest.raises(TableError, match=r"series\.parquet"):
        recfleet_plot(lived, "--over-time")
    assert not (lived / "over-time.png").exists()


@pytest.mark.parametrize(
    ("name", "label", "from_s", "until_s"),
    [
        ("flash-crowd", "surge \u00d7 5", 900, 1200),
        ("regional-outage", "outage of region 0", 1000, 1600),
        ("replica-crash", "crash of replica 0", 1200, 1500),
        ("retry-storm", "slower \u00d7 3", 1200, 1260),
        ("slow-autoscaler", "surge \u00d7 4", 900, 2100),
    ],
)
def test_the_cause_of_trouble_is_read_off_the_scenario_as_it_is_saved(name, label, from_s, until_s):
    saved = yaml.safe_load(dump(load(LIBRARY / f"{name}.yaml", Scenario[AnyPolicy])))
    assert plot.troubles(saved) == [over_time.Span(label, from_s, until_s)]


def test_trouble_drawn_at_random_has_no_place():
    drawn = {"cloud": {"crashes": [{"kind": "drawn", "between_s": 60.0, "length_s": 5.0}]}}
    assert plot.troubles(drawn) == []
