"""Policies are ranked at equal cost, by paired differences; the oracle bounds and never ranks."""

import pytest
from made_up import make

from analysis.intervals import interval
from analysis.pareto import at_cost, compare, paths
from analysis.report.folder import read
from analysis.report.leaderboard import METRIC, boards, preferred


@pytest.fixture(scope="module")
def found(results):
    return boards(results.whole_points)


def test_a_board_for_each_cost_between_points_and_one_for_their_common_range(found, results):
    assert [board.cost for board in found] == [0.1, 0.2, 0.3, 0.5, None]
    assert preferred(found).cost == 0.1
    at_half = next(board for board in found if board.cost == 0.5)
    assert set(at_half.absent) == {"learned"}
    assert {standing.policy for standing in at_half.standings} == {"periodic", "random"}


def test_the_numbers_are_those_of_the_paired_comparison(found, results):
    board = preferred(found)
    curves = paths(results.whole_points, METRIC)
    scores = {name: at_cost(curves[name], 0.1) for name in ("learned", "periodic", "random")}
    expected = {one.policy: one for one in compare(scores, "periodic")}
    assert board.baseline == "periodic"
    assert [standing.accuracy.value for standing in board.standings] == sorted(
        (score.value for score in scores.values()), reverse=True
    )
    for standing in board.standings:
        if standing.policy != "periodic":
            assert standing.difference == expected[standing.policy].difference
            assert standing.p == expected[standing.policy].p
    assert board.best.policy == "learned"  # it knows how fast each user's lists fade
    assert board.best.difference.low > 0


def test_the_share_of_the_gain_runs_from_never_to_always(found, results):
    curves = paths(results.whole_points, METRIC)
    floor, top = curves["never"][0][1], curves["always"][0][1]
    for standing in preferred(found).standings:
        expected = (standing.accuracy.value - floor.value) / (top.value - floor.value)
        assert standing.kept.value == pytest.approx(expected)
        assert 0 < standing.kept.low < standing.kept.high < 1


def test_the_oracle_bounds_and_does_not_compete(tmp_path):
    sweep = {
        "never": [None],
        "oracle": [0.1, 0.3, 0.6],
        "periodic": [2, 5, 30],
        "random": [0.03, 0.6],
    }
    with_oracle = preferred(boards(read(make(tmp_path / "a", sweep, rules={"oracle": "learned"})).whole_points))
    bound = next(standing for standing in with_oracle.standings if standing.policy == "oracle")
    assert (bound.rank, bound.p, bound.of_oracle) == (None, None, None)
    assert [standing.rank for standing in with_oracle.ranked] == [1, 2]
    blind = next(standing for standing in with_oracle.standings if standing.policy == "random")
    assert with_oracle.best.of_oracle.value == pytest.approx(
        (with_oracle.best.accuracy.value - blind.accuracy.value) / (bound.accuracy.value - blind.accuracy.value)
    )
    assert blind.of_oracle.value == 0
    del sweep["oracle"]
    without = preferred(boards(read(make(tmp_path / "b", sweep)).whole_points))
    assert without.best.p == with_oracle.best.p  # the family of hypotheses is that of the competitors


def test_policies_that_are_the_same_are_close(tmp_path):
    sweep = {"periodic": [2, 5, 30], "twin": [2, 5, 30], "random": [0.03, 0.6]}
    board = preferred(boards(read(make(tmp_path / "a", sweep, rules={"twin": "periodic"})).whole_points))
    assert set(board.close) == {"periodic", "twin"} - {board.best.policy}
    assert interval(at_cost(paths(read(tmp_path / "a").whole_points)["twin"], 0.1)) == board.best.accuracy


def test_single_points_are_not_ranked(tmp_path):
    results = read(make(tmp_path / "a", {"never": [None], "periodic": [4], "random": [0.3], "always": [None]}))
    assert boards(results.whole_points) == []
    assert preferred([]) is None
