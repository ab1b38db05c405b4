"""The three-way front holds what nothing beats; bytes are those of the models and of the policy."""

import json

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from made_up import make

from analysis.report.device import device_bytes, front, parts, three_way
from analysis.report.folder import read
from analysis.report.leaderboard import boards
from analysis.report.wording import size

small = st.integers(0, 4)


@given(st.lists(st.tuples(small, small, small), min_size=1, max_size=14))
def test_the_front_is_what_no_other_point_beats(burdens):
    rows = [(f"p{i}", 0.0, requests, value, value, value) for i, (requests, _, value) in enumerate(burdens)]
    names = ["policy", "parameter", "requests_per_interaction", "ndcg_at_10", "ndcg_at_10_low", "ndcg_at_10_high"]
    held = {f"p{i}": float(size) for i, (_, size, _) in enumerate(burdens)}
    found = {point.policy for point in front(pd.DataFrame(rows, columns=names), held)}
    for i, mine in enumerate(burdens):
        beaten = any(
            other[0] <= mine[0] and other[1] <= mine[1] and other[2] >= mine[2] and other != mine for other in burdens
        )
        assert (f"p{i}" in found) == (not beaten)


def test_bytes_are_the_parts_and_the_policys_own(tmp_path):
    sweep = {"periodic": [2, 5, 30], "learned": [0.1, 0.3, 0.6]}
    own = {"periodic": 0, "learned": 1000}
    results = read(make(tmp_path / "a", sweep, device_bytes=4000, policy_bytes=own))
    base = sum(parts(results).values())
    assert parts(results)["item vectors"] == 4000
    assert device_bytes(results) == {"periodic": base, "learned": base + 1000}
    chart = three_way([("", device_bytes(results), boards(results.whole_points))])
    assert [series.name for series in chart.series] == [size(base), size(base + 1000)]
    for series, policy in zip(chart.series, ("periodic", "learned"), strict=True):
        assert {point.name for point in series.points} == {policy}
        assert [point.place["requests"] for point in series.points] == [0.1]


def test_what_a_device_holds_to_go_on_learning_counts(tmp_path):
    plain = read(make(tmp_path / "a"))
    folder = make(tmp_path / "b")
    facts = json.loads((folder / "summary.json").read_text())
    facts["recommenders"]["device_adaptation"] = {"parameters": 64, "bytes": 700}
    (folder / "summary.json").write_text(json.dumps(facts))
    assert sum(parts(read(folder)).values()) == sum(parts(plain).values()) + 700


def test_the_oracle_is_on_no_front(results):
    bound = results.curve.assign(policy="oracle", ndcg_at_10=1.0)
    both = pd.concat([results.curve, bound])
    assert front(both, None) == front(results.curve, None)


def test_one_size_makes_no_picture_and_no_size_is_said(results):
    assert three_way([("", device_bytes(results), boards(results.whole_points))]) is None
    assert three_way([("", None, boards(results.whole_points))]) is None
    assert all(point.bytes is None for point in front(results.curve, None))
