"""Runs are laid side by side under names of their own, and paired only where that is right."""

import pytest
from made_up import make

from analysis.intervals import interval
from analysis.pareto import at_cost, paths
from analysis.report.compare import HEADINGS, against, differing, line_up, page, rows, terminal, unpaired
from analysis.report.folder import read


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    return read(make(tmp_path_factory.mktemp("results") / "slow", name="slow", service_s=0.4))


def test_runs_over_the_same_users_are_compared_in_pairs(results, slow):
    runs = line_up([results, slow])
    assert [run.board.cost for run in runs] == [0.1, 0.1]
    assert unpaired(runs) == ""
    found = {each.policy: each for each in against(runs)}
    assert set(found) == {"learned", "periodic", "random"}
    ours, theirs = (at_cost(paths(run.results.whole_points)["periodic"], 0.1) for run in runs)
    assert found["periodic"].differences["slow"].difference == interval(theirs - ours)
    assert found["periodic"].accuracy["slow"] == theirs.value


def test_other_users_and_other_seeds_are_not_paired(results, slow, tmp_path):
    fewer = read(make(tmp_path / "fewer", name="fewer", users=30))
    assert unpaired(line_up([results, fewer])) == "fewer replays other users than made-up"
    assert all(not each.differences for each in against(line_up([results, fewer])))
    once = read(make(tmp_path / "once", name="once", replications=1))
    assert unpaired(line_up([results, once])) == "once has other seeds than made-up"
    alone = read(make(tmp_path / "alone", {"always": [None]}, name="alone"))
    runs = line_up([results, alone])
    assert "no cost" in unpaired(runs)
    assert against(runs) == []
    for other in (fewer, once, alone):
        page(line_up([results, slow, other]))


def test_what_differs_is_what_differs(results, slow):
    assert differing(line_up([results, slow])) == {"cloud.service_s": ["0.1", "0.4"]}


def test_runs_of_one_name_are_told_apart(results, folder):
    names = [run.name for run in line_up([results, results, read(folder)])]
    assert len(set(names)) == 3
    page(line_up([results, results]))


def test_the_table_for_the_terminal_fits(results, slow):
    runs = line_up([results, slow])
    text = terminal(runs)
    assert max(map(len, text.splitlines())) <= 110
    for row in rows(runs):
        assert list(row) == list(HEADINGS)
        assert "nan" not in "".join(row.values())
