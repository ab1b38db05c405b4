"""The fused order is the formula's, and what is gone has no say in it."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fusion import fuse, rank_in
from models.held import Held
from scenarios.schema.fleet import Fusion

scores = st.lists(st.integers(-20, 20).map(lambda n: n / 4), min_size=1, max_size=9)


def one(llm: list[float], srm: list[float], left: list[bool]) -> Held:
    return Held(*(torch.tensor([row], dtype=torch.float64) for row in (llm, srm)), torch.tensor([left]))


@settings(max_examples=200, deadline=None)
@given(st.data(), scores, st.floats(0, 1), st.sampled_from(["scores", "ranks"]))
def test_ranks_are_those_of_scipy_s_zscore_and_of_plain_sorting(
    data: st.DataObject, llm: list[float], alpha: float, over: str
) -> None:
    n = len(llm)
    srm = data.draw(st.lists(st.integers(-20, 20).map(lambda k: k / 4), min_size=n, max_size=n))
    left = data.draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(any))
    column = data.draw(st.sampled_from([place for place in range(n) if left[place]]))
    held = one(llm, srm, left)
    fused = fuse(held, Fusion.model_validate({"over": over, "alpha": alpha}))
    kept = np.flatnonzero(left)
    sides = np.array(llm)[kept], np.array(srm)[kept]
    if over == "ranks":
        by_srm = sorted(range(len(kept)), key=lambda i: (-sides[1][i], i))
        sides = -np.arange(len(kept), dtype=float), -np.array([by_srm.index(i) for i in range(len(kept))], float)
    else:
        sides = tuple(np.zeros(len(kept)) if np.ptp(side) == 0 else (side - side.mean()) / side.std() for side in sides)
    expected = alpha * sides[0] + (1 - alpha) * sides[1]
    np.testing.assert_allclose(fused[0, kept].numpy(), expected, atol=1e-12)
    order = sorted(range(len(kept)), key=lambda i: (-float(fused[0, kept[i]]), i))
    rank = int(rank_in(held, fused, torch.tensor([column])))
    assert rank == order.index(int(np.flatnonzero(kept == column)[0])) + 1


def test_what_is_gone_has_no_say() -> None:
    left = [True, False, True, True]
    for over in ("scores", "ranks", "probabilities"):
        fusion = Fusion.model_validate({"over": over, "alpha": 0.4})
        calm = fuse(one([4, 3, 2, 1], [0, 1, 3, 2], left), fusion)
        loud = fuse(one([4, 900, 2, 1], [0, -900, 3, 2], left), fusion)
        assert calm[0, left].tolist() == loud[0, left].tolist()


def test_the_scale_of_either_model_does_not_matter() -> None:
    fusion = Fusion(alpha=0.3)
    llm, srm = torch.randn(2, 20, dtype=torch.float64).tolist()
    plain = fuse(one(llm, srm, [True] * 20), fusion)
    scaled = fuse(one([100 * x - 7 for x in llm], [0.01 * x + 3 for x in srm], [True] * 20), fusion)
    torch.testing.assert_close(plain, scaled)


DOCUMENT = (Path(__file__).parent.parent.parent / "docs" / "lsc4rec.md").read_text()
RANKERS = {
    int(ranker): yaml.safe_load(keys) for ranker, keys in re.findall(r"^\| (\d) .*`(\{.*\})` \|$", DOCUMENT, flags=re.M)
}
"""The five of LSC4Rec's released code, as docs/lsc4rec.md has them."""


def released(ranker: int, srm: list[float]) -> list[float]:
    """The scores as the released code writes them: by the place from 1, and the sigmoid of the SRM's logit."""
    n, found = len(srm), []
    for j, logit in enumerate(srm, 1):
        p = 1 / (1 + np.exp(-logit))
        centred = p - 0.5
        found.append(
            {
                1: -j,
                2: 0.5 - j / n + (centred if abs(centred) > 0.4 else 0),
                3: -j / n + centred,
                4: -j / n + 2 * centred,
                5: p,
            }[ranker]
        )
    return found


def order_of(scores: list[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda column: (-scores[column], column))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-12, 12).map(lambda n: n / 4 + 0.01), min_size=1, max_size=50), st.sampled_from([*RANKERS]))
def test_five_settings_give_the_five_rankers_of_the_released_code(srm: list[float], ranker: int) -> None:
    fusion = Fusion.model_validate({**RANKERS[ranker], "raw": True})
    fused = fuse(one([0.0] * len(srm), srm, [True] * len(srm)), fusion)[0].tolist()
    theirs = released(ranker, srm)
    assert order_of([round(each, 12) for each in fused]) == order_of([round(each, 12) for each in theirs])


def test_the_rankers_of_four_items_by_hand() -> None:
    """Logits 0, log 3, log 19 and 0 are probabilities 0.5, 0.75, 0.95 and 0.5."""
    srm = [0.0, float(np.log(3)), float(np.log(19)), 0.0]
    expected = {
        1: [0, -0.25, -0.5, -0.75],
        2: [0, -0.125, -0.25 + 0.225, -0.375],
        3: [0, -0.125 + 0.125, -0.25 + 0.225, -0.375],
        4: [0, -0.25 / 3 + 0.5 / 3, -0.5 / 3 + 0.9 / 3, -0.25],
        5: [0, 0.25, 0.45, 0],
    }
    assert RANKERS.keys() == expected.keys()
    for ranker, keys in RANKERS.items():
        fusion = Fusion.model_validate({**keys, "raw": True})
        fused = fuse(one([9, 8, 7, 6], srm, [True] * 4), fusion)
        np.testing.assert_allclose(fused[0].numpy(), expected[ranker], atol=1e-12)
    # Standardised, a softmax's free zero does not matter.
    standing = Fusion(over="probabilities", alpha=0.0)
    moved = fuse(one([9, 8, 7, 6], [each + 40 for each in srm], [True] * 4), standing)
    torch.testing.assert_close(moved, fuse(one([9, 8, 7, 6], srm, [True] * 4), standing))
    deviation = np.std(srm)
    z = (np.array(srm) - np.mean(srm)) / deviation
    np.testing.assert_allclose(moved[0].numpy(), 1 / (1 + np.exp(-z)) - 0.5, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.data(), scores, st.sampled_from(["scores", "ranks", "probabilities"]), st.booleans())
def test_alpha_1_is_the_cloud_s_order_and_alpha_0_the_device_s(
    data: st.DataObject, llm: list[float], over: str, raw: bool
) -> None:
    llm = sorted(llm, reverse=True)
    srm = data.draw(st.lists(st.integers(-20, 20).map(lambda k: k / 4), min_size=len(llm), max_size=len(llm)))
    held = one(llm, srm, [True] * len(llm))
    keys = {"over": over, "raw": raw and over == "probabilities"}
    for alpha, expected in ((1.0, range(len(llm))), (0.0, order_of(srm))):
        fused = fuse(held, Fusion.model_validate({**keys, "alpha": alpha}))
        assert order_of([round(each, 9) for each in fused[0].tolist()]) == list(expected)


def test_a_gate_is_of_probabilities_alone() -> None:
    for keys in ({"gate": 0.4}, {"raw": True}, {"over": "ranks", "gate": 0.0}):
        with pytest.raises(ValueError, match="alone"):
            Fusion.model_validate(keys)
