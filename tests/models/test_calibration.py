"""What is timed is what a cloud does for its requests, once warm, in the middle of what repetitions take."""

from itertools import chain, repeat

import numpy as np
import pytest
import torch

from models import calibration
from models.calibration import Timing, lists_of, timings
from models.llms import causal, t5
from models.llms.base import Llm
from models.llms.item_codes import digits
from scenarios.schema.recommenders import CausalLlm, T5Llm

N_ITEMS, WINDOW = 40, 8


def model(kind: str) -> Llm:
    torch.manual_seed(0)
    if kind == "causal":
        return causal.build(N_ITEMS, CausalLlm(width=8, layers=1, heads=2, window=WINDOW)).eval().double()
    beams = 30 if kind == "searching" else None
    return t5.build(digits(N_ITEMS), T5Llm(width=8, layers=1, heads=2, window=WINDOW, beams=beams)).eval().double()


@pytest.mark.parametrize("kind", ["causal", "scoring", "searching"])
@torch.no_grad()
def test_it_is_the_lists_that_are_timed(kind: str) -> None:
    llm = model(kind)
    for length in (3, 30):
        histories = torch.randint(N_ITEMS, (4, length))
        made, scores = lists_of(llm, histories, 20)
        for ids, of_ids, (expected, logits) in zip(
            made, scores, llm.candidates([np.asarray(history) for history in histories], 20), strict=True
        ):
            assert ids[ids >= 0].tolist() == expected.tolist()
            np.testing.assert_allclose(of_ids[ids >= 0], logits, rtol=1e-9)


def test_every_batch_size_meets_every_length(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    told: list[int] = []

    def lists(llm: Llm, histories: torch.Tensor, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        assert length == N_ITEMS  # a list is no longer than the catalogue
        seen.append((len(histories), histories.shape[1]))
        return histories, histories

    monkeypatch.setattr(calibration, "lists_of", lists)
    found = timings(model("causal"), "float64", (1, 4), (2, 9), 100, told.append)
    assert set(found) == set(seen) == {(1, 2), (4, 2), (1, 9), (4, 9)}
    assert told == [1] * 4


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (chain([9.0], repeat(0.01)), Timing(10.0, 0.0)),  # the first call is not counted
        (chain([0.0], [0.01] * 12, [0.5] * 8), Timing(10.0, 49.0)),
        (chain([0.0], [2.0, 4.0, 3.0], repeat(0.01)), Timing(3000.0, 1 / 3)),  # three are enough where they are slow
    ],
)
def test_the_median_after_a_warm_up(seconds: "chain[float]", expected: Timing, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def lists(*rest: object) -> tuple[torch.Tensor, torch.Tensor]:
        nonlocal now
        now += next(seconds)
        return torch.zeros(1), torch.zeros(1)

    monkeypatch.setattr(calibration, "lists_of", lists)
    monkeypatch.setattr("time.perf_counter", lambda: now)
    found = timings(model("causal"), "float64", (1,), (2,), 5)[1, 2]
    assert found.milliseconds == pytest.approx(expected.milliseconds)
    assert found.spread == pytest.approx(expected.spread)
