"""What a language model calls an item: its number in digits, or one token of its own.

`models/llms/semantic_ids.py` has the third way, a path of clusters. Token numbers follow T5: 0 pads and begins an
answer, 1 ends one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scenarios.behaviour import IntArray

PAD, END, FIRST = 0, 1, 2
"""Padding, the end of an answer, and the first token that may be part of a code."""


@dataclass(frozen=True)
class ItemCodes:
    """Every item's tokens, no two items' alike.

    tokens: [n_items, depth] token numbers from `FIRST`, filled up with `PAD` to the right where codes are of unequal
    length. vocabulary: how many tokens there are, `PAD` and `END` among them. ended: whether an answer is a code and
    `END`, as a model needs it that would not know otherwise that the code of 1 is not going on to become that of 12.
    """

    tokens: IntArray
    vocabulary: int
    ended: bool = False

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.tokens)

    def answers(self) -> IntArray:
        """[n_items, depth] what the model is to say for each item, filled up with `PAD`; none begins another."""
        if not self.ended:
            return self.tokens
        open_end = np.pad(self.tokens, ((0, 0), (0, 1)), constant_values=PAD)
        open_end[np.arange(self.n_items), (self.tokens != PAD).sum(1)] = END
        return open_end


def digits(n_items: int) -> ItemCodes:
    """The decimal digits of each id, the highest first, with zeros in front so that all have as many (P5's way)."""
    places = 10 ** np.arange(len(str(n_items - 1)))[::-1]
    return ItemCodes(FIRST + np.arange(n_items)[:, None] // places % 10, FIRST + 10)


def own_tokens(n_items: int) -> ItemCodes:
    """One token each."""
    return ItemCodes(FIRST + np.arange(n_items)[:, None], FIRST + n_items)


def numbered(paths: npt.NDArray[np.integer]) -> ItemCodes:
    """Codes from [n_items, levels] cluster numbers: each level has tokens of its own, and a last one numbers the items
    that share a path, which makes codes unique (Rajput et al., TIGER, NeurIPS 2023, arXiv 2305.05065).
    """
    _, path, sizes = np.unique(paths, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(path, kind="stable")
    number = np.empty(len(paths), np.int64)
    number[order] = np.arange(len(paths)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    levels = np.column_stack([paths, number]).astype(np.int64)
    counts = levels.max(0) + 1
    return ItemCodes(FIRST + np.cumsum(counts) - counts + levels, FIRST + int(counts.sum()))
