"""Whatever the way of naming items: no two have one name, and the trie knows these names and no other."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.llms.item_codes import END, FIRST, PAD, ItemCodes, digits, numbered, own_tokens
from models.llms.trie import Trie, build
from scenarios.behaviour import IntArray


@st.composite
def codes(draw: st.DrawFn) -> ItemCodes:
    """Any set of different words of one to three letters, closed by `END` unless all are of one length."""
    words = draw(
        st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple), min_size=1, max_size=25, unique=True)
    )
    tokens = np.full((len(words), 3), PAD)
    for row, word in enumerate(words):
        tokens[row, : len(word)] = np.array(word) + FIRST
    return ItemCodes(tokens, FIRST + 4, ended=True)


ways = st.one_of(st.integers(1, 300).map(digits), st.integers(1, 30).map(own_tokens), codes())


@given(st.integers(1, 3000))
def test_digits_are_the_decimal_text(n_items: int) -> None:
    made = digits(n_items)
    item = n_items // 3
    assert "".join(str(token - FIRST) for token in made.tokens[item]) == str(item).zfill(len(str(n_items - 1)))
    assert made.vocabulary == FIRST + 10


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_shared_paths_get_numbers_that_tell_items_apart(paths: list[tuple[int, int]]) -> None:
    made = numbered(np.array(paths))
    assert len(np.unique(made.tokens, axis=0)) == len(paths)
    assert made.tokens.min() >= FIRST
    assert made.tokens.max() == made.vocabulary - 1
    # Items share their first tokens just where they share their path, and levels share no token.
    for one, other in itertools.combinations(range(len(paths)), 2):
        assert (paths[one] == paths[other]) == bool((made.tokens[one, :2] == made.tokens[other, :2]).all())
    assert all(not set(made.tokens[:, a]) & set(made.tokens[:, b]) for a, b in itertools.combinations(range(3), 2))


def walks(trie: Trie) -> dict[tuple[int, ...], int]:
    """Every way from the root to a leaf, edge by edge."""
    found: dict[tuple[int, ...], int] = {}
    open_: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    while open_:
        node, said = open_.pop()
        if trie.item[node] >= 0:
            found[said] = int(trie.item[node])
            continue
        children = range(int(trie.first[node]), int(trie.first[node] + trie.count[node]))
        assert all(trie.parent[child] == node for child in children)
        open_ += [(child, (*said, int(trie.token[child]))) for child in children]
    return found


@given(ways)
def test_walks_are_the_items_and_nothing_else(made: ItemCodes) -> None:
    answers = {tuple(int(t) for t in row if t != PAD): item for item, row in enumerate(made.answers())}
    trie = build(made)
    assert walks(trie) == answers
    assert trie.starts[-1] == len(trie.token)


@given(ways)
def test_widths_paths_and_counts_are_those_of_the_nodes(made: ItemCodes) -> None:
    trie = build(made)
    for level in range(trie.depth):
        nodes = range(trie.starts[level], trie.starts[level + 1])
        assert trie.widest[level] == max([1, *(int(trie.count[node]) for node in nodes)])
        assert (
            (trie.token[trie.path[:, level]] == torch.from_numpy(made.answers()[:, level]))
            .logical_or(torch.from_numpy(made.answers()[:, level] == PAD))
            .all()
        )
    assert (trie.item[trie.path[:, -1]] == torch.arange(made.n_items)).all()
    for node in range(len(trie.token)):
        assert trie.below[node] == int((trie.path == node).any(1).sum()) or node == 0
    assert trie.below[0] == made.n_items


@given(ways, st.data())
def test_a_branch_is_closed_once_all_its_items_are_gone(made: ItemCodes, data: st.DataObject) -> None:
    trie = build(made)
    gone = torch.tensor([data.draw(st.lists(st.booleans(), min_size=made.n_items, max_size=made.n_items))])
    left = trie.left(gone)[0]
    open_ = {0} if not gone.all() else set()
    for item in range(made.n_items):
        if not gone[0, item]:
            open_ |= set(trie.path[item].tolist())
    assert set(torch.nonzero(left)[:, 0].tolist()) == open_


@settings(max_examples=50)
@given(st.one_of(st.integers(1, 60).map(digits), st.integers(1, 20).map(own_tokens), codes()))
def test_find_knows_the_answers_and_refuses_every_other_string(made: ItemCodes) -> None:
    trie = build(made)
    names = {tuple(row): item for item, row in enumerate(made.answers().tolist())}
    tokens = range(made.vocabulary) if trie.depth < 4 else range(2)
    every = torch.tensor(list(itertools.islice(itertools.product(tokens, repeat=trie.depth), 3000)))
    assert trie.find(every).tolist() == [names.get(tuple(row), -1) for row in every.tolist()]
    assert trie.find(torch.from_numpy(made.answers())).tolist() == list(range(made.n_items))


def tokens(rows: list[list[int]]) -> IntArray:
    return np.array(rows)


def test_names_that_cannot_be_told_apart_are_refused() -> None:
    for rows in ([[2, 3], [2, 3]], [[2, PAD], [2, 3]]):
        with pytest.raises(ValueError, match="the same code, or one's code begins another's"):
            build(ItemCodes(tokens(rows), 4))
    assert build(ItemCodes(tokens([[2, PAD], [2, 3]]), 4, ended=True)).item.max() == 1
    assert ItemCodes(tokens([[2, PAD], [2, 3]]), 4, ended=True).answers().tolist() == [[2, END, PAD], [2, 3, END]]
