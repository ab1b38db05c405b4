"""A device without vectors shows the most popular items that its user has not consumed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import catalogue
from models.catalogue import by_popularity


@given(st.data(), st.lists(st.integers(0, 11), min_size=1, max_size=40))
def test_ranks_by_popularity_are_those_in_the_list_that_is_shown(data: st.DataObject, stream: list[int]) -> None:
    """By hand: the list without what was consumed, at each step anew; also where steps are counted piece by piece."""
    places = np.array(data.draw(st.permutations(range(12))))
    first = data.draw(st.integers(0, len(stream) - 1))
    by_hand = []
    for at in range(first, len(stream)):
        shown = [item for item in np.argsort(places).tolist() if item not in stream[:at]]
        by_hand.append(shown.index(stream[at]) + 1 if stream[at] in shown else 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "AT_ONCE", data.draw(st.integers(1, 50)))
        assert by_popularity(places, np.array(stream, np.int32), first, len(stream)).tolist() == by_hand
