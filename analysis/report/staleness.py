"""How old the lists were that devices showed, in clicks: the whole distribution, from a request log."""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.report import wording
from analysis.report.chart import Axis, Chart, Point, Series
from analysis.report.curves import looks, plain
from analysis.report.folder import Cell

COLUMNS = ["device", "cut", "applied_step"]
NEARLY_ALL = 0.99
"""Share of interactions at which a line may leave the picture."""

IntArray = npt.NDArray[np.int64]


def ages(log: pd.DataFrame, interactions: IntArray) -> IntArray:
    """[oldest + 1] interactions that were shown with a list of each age, from 0 clicks.

    log: a request log (`COLUMNS`). interactions: [devices] how many each device lived through. An answer is shown from
    its `applied_step` on, until that of the next one that was shown or the end of the device's stream.
    """
    shown = log[log["applied_step"] >= 0].sort_values(["device", "applied_step"], kind="stable")
    device, start = shown["device"].to_numpy(np.int64), shown["applied_step"].to_numpy(np.int64)
    cut = shown["cut"].to_numpy(np.int64)
    stop = interactions[device]
    followed = device[1:] == device[:-1]
    stop[:-1][followed] = start[1:][followed]
    # Each run of steps adds one to every age from `start - cut` up to, not including, `stop - cut`.
    first, end = start - cut, stop - cut
    oldest = int(end.max(initial=0))
    steps = np.bincount(first, minlength=oldest + 1) - np.bincount(end, minlength=oldest + 1)
    return np.cumsum(steps)[:oldest]


def age_shares(cells: Sequence[Cell], shown: Set[str]) -> Chart | None:
    """For each cell, which share of the lists shown was at most so old; None where no list was.

    shown: the policies that the chart begins with.
    """
    counts = {}
    for cell in cells:
        devices = cell.table("devices", ["device", "interactions"]).sort_values("device")
        found = ages(cell.table("requests", COLUMNS), devices["interactions"].to_numpy(np.int64))
        if found.sum():
            counts[cell.digest.point] = found
    if not counts:
        return None
    look = looks(policy for policy, _ in counts)
    shares = {point: np.cumsum(count) / count.sum() for point, count in counts.items()}
    oldest = max(int(np.searchsorted(share, NEARLY_ALL)) for share in shares.values()) + 1
    return Chart(
        id="ages",
        title="How old the lists shown were",
        x=(Axis("age", "age of the list (clicks)", zero=True),),
        y=(Axis("share", "share of lists at most so old", share=True, zero=True),),
        series=tuple(
            Series(
                wording.point(*point),
                look[point[0]],
                _points(share[: oldest + 1]),
                marks=False,
                shown=point[0] in shown,
            )
            for point, share in shares.items()
        ),
        columns=("age", "at most so old"),
    )


def _points(shares: npt.NDArray[np.float64]) -> tuple[Point, ...]:
    return tuple(
        Point(
            name=f"{age} clicks",
            place=plain({"age": float(age), "share": float(share)}),
            tip=(f"{age} clicks", wording.share(float(share), 1)),
        )
        for age, share in enumerate(shares)
    )
