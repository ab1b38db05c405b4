"""The loss in pieces is the loss: the same number and the same gradients as with all scores in memory."""

from __future__ import annotations

from unittest.mock import patch

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from models.catalogue_loss import FEW, catalogue_loss


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 700),
    items=st.integers(2, 900),
    width=st.sampled_from([4, 16, 64]),
    seed=st.integers(0, 99),
    few=st.sampled_from([0, FEW]),
)
def test_pieces_are_the_whole(n: int, items: int, width: int, seed: int, few: int) -> None:
    """Whatever the shapes, by which torch chooses the pieces, and also where nothing is cut."""
    draws = torch.Generator().manual_seed(seed)
    states = torch.randn(n, width, generator=draws, dtype=torch.float64, requires_grad=True)
    table = torch.randn(items, width, generator=draws, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(items, (n,), generator=draws)
    whole = functional.cross_entropy(states @ table.T, targets)
    with patch("models.catalogue_loss.FEW", few):
        pieces = catalogue_loss(states, table, targets)
    torch.testing.assert_close(pieces, whole)
    # What training does: the loss is scaled before it goes back.
    torch.testing.assert_close(
        torch.autograd.grad(3 * pieces, (states, table)), torch.autograd.grad(3 * whole, (states, table))
    )
