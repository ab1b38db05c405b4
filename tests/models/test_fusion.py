"""The fused order is the formula's, and what is gone has no say in it."""

import numpy as np
import torch
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
    for over in ("scores", "ranks"):
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
