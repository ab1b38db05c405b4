"""The three sentences say what the numbers say, also where these are unusual."""

import pytest
from made_up import FADED, make

from analysis.report import wording
from analysis.report.answer import findings
from analysis.report.folder import read
from analysis.report.leaderboard import boards, preferred


def told(results):
    return findings(results.curve, results.whole_points, boards(results.whole_points))


def value(results, policy, column="ndcg_at_10"):
    return float(results.curve.loc[results.curve["policy"] == policy, column].iloc[0])


def test_the_sentences_hold_the_numbers(results):
    staleness, policy, cloud = told(results)
    never, always = value(results, "never"), value(results, "always")
    for number in (never, always):
        assert wording.accuracy(number) in staleness.sentence
    assert staleness.figure == wording.change(never / always - 1)
    best = preferred(boards(results.whole_points)).best
    assert policy.figure == best.policy == "learned"
    assert "10% of interactions" in policy.counts
    assert wording.bounds(best.difference) in policy.sentence
    assert "Holm p" in policy.sentence
    assert cloud.figure == wording.milliseconds(value(results, "always", "latency_p95_ms"))
    assert wording.share(value(results, "always", "utilisation")) in cloud.sentence
    assert "settled at every point" in cloud.sentence
    for finding in (staleness, policy, cloud):
        assert finding.sentence.endswith(".")
        assert "nan" not in finding.sentence


def test_an_overload_is_what_the_cloud_did(tmp_path):
    results = read(make(tmp_path / "a", {"periodic": [30], "always": [None]}, users=80, service_s=0.4, queue_limit=20))
    cloud = told(results)[2]
    unsettled = results.curve[~results.curve["settled"]]
    assert len(unsettled)
    assert cloud.figure == f"{len(unsettled)} of {len(results.curve)}"
    assert "always" in cloud.sentence
    assert "only says how long the run was" in cloud.sentence


def test_what_was_turned_away_is_said(tmp_path):
    results = read(make(tmp_path / "a", {"periodic": [20], "always": [None]}, service_s=0.6, queue_limit=3))
    share = value(results, "always", "rejected_share")
    assert f"{wording.share(share)} rejected" in told(results)[2].sentence


def test_chance_is_not_told_as_a_change(tmp_path):
    results = read(make(tmp_path / "a", {"never": [None], "periodic": [2, 20], "always": [None]}, fresh=FADED))
    staleness = told(results)[0]
    assert staleness.figure == "no difference"
    assert "cannot be told apart" in staleness.sentence


def test_a_cloud_that_harms_is_not_praised(tmp_path):
    results = read(make(tmp_path / "a", {"never": [None], "periodic": [2, 20], "always": [None]}, fresh=0.02))
    staleness = told(results)[0]
    assert staleness.figure.startswith("+")
    assert "doing without them brings" in staleness.sentence


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ({"periodic": [3]}, ("nothing to compare", "No two policies", "periodic 3")),
        ({"never": [None]}, ("nothing to compare", "No two policies", "idle")),
        ({"periodic": [2, 20]}, ("asking least (periodic)", "No two policies", "periodic 2")),
        ({"periodic": [2, 20], "random": [0.03, 0.6]}, ("Asking most (random)", "above random", "random 0.6")),
    ],
)
def test_a_small_sweep_has_its_answer_too(tmp_path, sweep, said):
    for finding, words in zip(told(read(make(tmp_path / "a", sweep))), said, strict=True):
        assert words in finding.sentence
