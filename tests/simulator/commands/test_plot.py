"""`recfleet plot` redraws finished results and says in one line what is wrong with others."""

import pandas as pd
import pytest
from click.testing import CliRunner

from analysis import plot as pictures
from analysis.curve import COLUMNS, EXTRA, to_csv
from scenarios.errors import UserError
from simulator.commands import plot


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
