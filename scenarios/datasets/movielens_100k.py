"""MovieLens-100K: 943 users, 1,682 films with titles and genres, 100,000 ratings, 1997-09 to 1998-04.

The wheel is RecBole's, whose example data is u.data under a typed header and u.item with title and year apart. Both
ways give equal arrays and an equal catalogue. A rating of any height counts as an interaction.
"""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pandas as pd

from scenarios.behaviour import Behaviour
from scenarios.datasets.assemble import assemble
from scenarios.datasets.fetch import Archive, Wheel
from scenarios.datasets.published import PublishedSet

GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)

TERMS = (
    "research use; may not be redistributed or used commercially without permission, no endorsement by the University "
    "of Minnesota or the GroupLens Research Group may be stated or implied"
)
CITATION = (
    "F. M. Harper and J. A. Konstan. 2015. The MovieLens Datasets: History and Context. ACM TiiS 5(4), 19. "
    "https://doi.org/10.1145/2827872"
)


def official(members: list[bytes]) -> Behaviour:
    """From u.data (user, item, rating, seconds) and u.item (id, title, ..., 19 genre flags; Latin-1)."""
    ratings, films = members
    table = _table(films.decode("latin-1"), "|")
    marks = table.iloc[:, 5:].to_numpy() == "1"
    genres = ["|".join(genre for genre, mark in zip(GENRES, row, strict=True) if mark) for row in marks]
    return _assembled(ratings, [_tidy(title) for title in table[1]], genres, table[0])


def recbole(members: list[bytes]) -> Behaviour:
    """From ml-100k.inter and ml-100k.item (id, title, year, genres)."""
    ratings, films = members
    table = _table(films.partition(b"\n")[2].decode(), "\t")
    # The year is what stood last in brackets. One film has no name in either file, here misspelt.
    named = zip(table[1], table[2], strict=True)
    titles = ["unknown" if year == "unkonwn" else _tidy(f"{title} ({year})") for title, year in named]
    return _assembled(ratings.partition(b"\n")[2], titles, table[3].str.replace(" ", "|").tolist(), table[0])


def _table(text: str, separator: str) -> pd.DataFrame:
    return pd.read_csv(
        io.StringIO(text), sep=separator, header=None, dtype=str, keep_default_na=False, quoting=csv.QUOTE_NONE
    )


def _tidy(title: str) -> str:
    return re.sub(r"\s+", " ", title).strip()


def _assembled(ratings: bytes, titles: list[str], genres: list[str], labels: pd.Series[str]) -> Behaviour:
    rows = _table(ratings.decode("ascii"), "\t")
    table = pd.DataFrame({"title": titles, "categories": genres}, index=pd.Index(labels))
    about = {"source": "MovieLens-100K", "terms": TERMS, "citation": CITATION}
    return assemble("movielens-100k", rows[0], rows[1], rows[3].to_numpy(np.float64), table, about)


MOVIELENS_100K = PublishedSet(
    name="movielens-100k",
    recipe=1,
    users=943,
    items=1682,
    interactions=100_000,
    text="titles, genres",
    official=Archive(
        "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
        "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
    ),
    official_members=("ml-100k/u.data", "ml-100k/u.item"),
    official_parse=official,
    wheel=Wheel("recbole", "1.2.1", "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"),
    wheel_members=(
        "recbole/dataset_example/ml-100k/ml-100k.inter",
        "recbole/dataset_example/ml-100k/ml-100k.item",
    ),
    wheel_parse=recbole,
    terms=TERMS,
    citation=CITATION,
)
