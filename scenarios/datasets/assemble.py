"""From a table of interactions to behaviour arrays: streams sorted by time, items re-indexed at random."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from scenarios.behaviour import Behaviour, FloatArray, build

INDEX_SEED = 20_260_101
"""Fixed, so that the same labels always get the same ids, on every machine and however the data was fetched."""


def assemble(
    name: str,
    users: pd.Series[str],
    items: pd.Series[str],
    times: FloatArray,
    table: pd.DataFrame | None,
    about: Mapping[str, object],
) -> Behaviour:
    """Make behaviour data from one row an interaction, in the source's order.

    users, items, times: [interactions] labels and seconds since 1970. table: a row an item, indexed by label, columns
    `title` and `categories`, and `label` where another than the index shall be shown; items it lacks get empty ones,
    items nobody took are left out.
    Users are numbered in order of appearance. Within a stream equal times keep the source's order. Item ids are a
    random permutation of the sorted labels, so that neighbouring numbers mean nothing.
    """
    user_codes, user_labels = pd.factorize(users)
    labels = np.sort(np.asarray(items.unique(), dtype=object))
    ids = np.random.default_rng(INDEX_SEED).permutation(len(labels))
    item_codes = ids[pd.Index(labels).get_indexer(pd.Index(items))]

    order = np.lexsort((times, user_codes))  # stable: ties keep the source's order
    counts = np.bincount(user_codes, minlength=len(user_labels))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    by_id = np.empty(len(labels), dtype=object)
    by_id[ids] = labels
    catalogue = pd.DataFrame({"label": by_id.astype(str), "title": "", "categories": ""})
    if table is not None:
        texts = table.reindex(by_id).fillna("")
        for column in catalogue.columns.intersection(texts.columns):
            catalogue[column] = texts[column].to_numpy()
    return build(name, offsets, item_codes[order].astype(np.int32), np.asarray(times)[order], catalogue, about)
