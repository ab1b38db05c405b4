"""What the books of the cloud rest on: how many of something there are, over time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.counts import Counts

SPAN = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted)
SPANS = st.lists(st.lists(SPAN, max_size=12), min_size=1, max_size=3).filter(any)


@given(SPANS, st.lists(st.integers(0, 13), max_size=4).map(sorted))
def test_the_spans_that_hold_are_counted_from_moment_to_moment_however_they_are_cut(
    sets: list[list[list[int]]], cuts: list[int]
) -> None:
    """Against a count at every moment at which a span begins or ends; none is told of before it begins."""
    counts, times, found = Counts(len(sets)), [], [[] for _ in sets]
    for since, until in zip([-1, *cuts], [*cuts, 100], strict=True):
        for number, spans in enumerate(sets):
            new = np.array([span for span in spans if since <= span[0] < until], np.int64).reshape(-1, 2)
            counts.add(number, new[:, 0], new[:, 1])
        more, held = counts.until(until)
        times += more.tolist()
        for all_of, part in zip(found, held, strict=True):
            all_of += part.tolist()
    assert times == sorted({edge for spans in sets for span in spans for edge in span})
    for spans, count in zip(sets, found, strict=True):
        assert count == [sum(begin <= time < end for begin, end in spans) for time in times]
