"""The search is worth having: the same lists, much sooner than transformers' own."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from small_t5 import network

from models.llms.item_codes import numbered
from models.llms.race import race


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine would be what is measured."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_same_lists_at_least_five_times_as_fast() -> None:
    """At batch 32 and 50 beams; the ratio is about 15."""
    codes = numbered(np.random.default_rng(0).integers(32, size=(500, 2)))
    made = network(codes.vocabulary, width=64).float()
    torch.manual_seed(0)
    embedded, mask = torch.randn(32, 120, 64), torch.arange(120) < torch.randint(60, 121, (32, 1))
    result = race(made, codes, embedded, mask, beams=50, rounds=3)
    assert result.agreement > 0.99
    assert result.ratio >= 5
