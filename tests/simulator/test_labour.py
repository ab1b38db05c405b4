"""What the books of the cloud rest on: how many of something there are, over time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator import labour

SPAN = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted)
SPANS = st.lists(st.lists(SPAN, max_size=12), min_size=1, max_size=3).filter(any)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SPANS, st.integers(1, 30))
def test_the_spans_that_hold_are_counted_from_moment_to_moment_however_they_are_cut(
    monkeypatch: pytest.MonkeyPatch, sets: list[list[list[int]]], piece: int
) -> None:
    """Against a count at every moment at which a span begins or ends."""
    monkeypatch.setattr(labour, "PIECE", piece)
    intervals = [np.array(spans, np.int64).reshape(-1, 2).T for spans in sets]
    times, counts = labour._over_time([(begin, end) for begin, end in intervals])
    assert times.tolist() == sorted({edge for spans in sets for span in spans for edge in span})
    for spans, count in zip(sets, counts, strict=True):
        assert count.tolist() == [sum(begin <= time < end for begin, end in spans) for time in times]
