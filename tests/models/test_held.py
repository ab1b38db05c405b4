"""What every signal and fusion is made of: places in two orders."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from models.held import Held

SCORES = st.sampled_from([-2.5, -1e-45, -0.0, 0.0, 1e-45, 1.0, 1.0000001, 3e38, torch.inf])


@given(st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=40))
def test_whole_numbers_are_sorted_as_the_scores_are_that_they_stand_for(items: list[tuple[float, bool]]) -> None:
    """The quick way, of float32, against plain sorting: ties, both zeros, the infinite, the smallest numbers."""
    scores = torch.tensor([[score for score, _ in items]])
    left = torch.tensor([[left for _, left in items]])
    held = Held(scores, scores, left)
    columns = [column for column in range(len(items)) if items[column][1]]
    by_hand = sorted(columns, key=lambda column: (-scores[0, column].item(), column))
    assert [held.srm_places[0, column].item() for column in by_hand] == list(range(len(columns)))
    wide = Held(scores.double(), scores.double(), left)
    assert torch.equal(held.srm_places[left], wide.srm_places[left])
