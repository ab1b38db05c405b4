"""A cell as a trace that Perfetto and chrome://tracing open: what each replica and some devices were about, and when.

The format is the Trace Event Format (Google, "Trace Event Format", 2016, as read by https://ui.perfetto.dev): times are
microseconds, here whole ones, so that what does not overlap does not begin to by rounding in floating point. On a track
slices only follow or enclose each other: requests that a replica works on side by side have lanes of their own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Event = dict[str, Any]
IntArray = npt.NDArray[np.int64]

ORDER = "CXstfi"
"""Kinds of events in the order in which a moment has them."""
CLOUD, DEVICES = 1, 2
"""Processes of the trace."""
COUNTERS = {
    "requests in flight": "in_flight",
    "requests waiting": "waiting",
    "utilisation": "utilisation",
    "replicas up": "replicas_up",
}
"""Names of counter tracks, and the columns of the series that they show."""


@dataclass(frozen=True)
class Tables:
    """The tables of a cell, as docs/design.md has them. continuous: whether requests join and leave work one by one."""

    requests: pd.DataFrame
    detours: pd.DataFrame
    shifts: pd.DataFrame
    series: pd.DataFrame
    continuous: bool


class _Tracks:
    """Hands out threads, and says what they are called and where they stand."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._threads = 10  # 0 is the idle thread of a traced machine, and small numbers are those of processes
        for process, name in ((CLOUD, "cloud"), (DEVICES, "devices (a sample)")):
            self._meta(process, process, "process_name", {"name": name})
            self._meta(process, process, "process_sort_index", {"sort_index": process})

    def thread(self, process: int, name: str) -> Event:
        """`pid` and `tid` of a new thread, below all others of its process."""
        self._threads += 1
        self._meta(process, self._threads, "thread_name", {"name": name})
        self._meta(process, self._threads, "thread_sort_index", {"sort_index": self._threads})
        return {"pid": process, "tid": self._threads}

    def _meta(self, process: int, thread: int, what: str, args: Event) -> None:
        self.events.append({"ph": "M", "ts": 0, "pid": process, "tid": thread, "name": what, "args": args})


def events(tables: Tables, devices: int) -> list[Event]:
    """All events, rising in time, with up to so many of the devices that made requests, evenly chosen."""
    tracks = _Tracks()
    chosen = _sample(tables.requests["device"], devices)
    own = _attempts(tables.requests, chosen)
    heard = dict(zip(own["row"].tolist(), own["heard"].tolist(), strict=True))
    found = [*_counters(tables.series), *_replicas(tables, tracks, heard), *_devices(own, tracks)]
    # Of one moment an outer slice stays before an inner one, and both come before their arrows, which begin before they
    # end; instants come last, as they would else be what an arrow is taken to be at.
    return [*tracks.events, *sorted(found, key=lambda event: (event["ts"], ORDER.index(event["ph"])))]


def _sample(device: pd.Series, most: int) -> IntArray:
    there = np.unique(device.to_numpy(np.int64))
    places = np.linspace(0, len(there) - 1, min(most, len(there)))
    return np.asarray(there[np.rint(places).astype(np.int64)], np.int64)


def _us(seconds: pd.Series) -> IntArray:
    """Whole microseconds, -1 for what did not come."""
    return np.rint(seconds.fillna(-1e-6).to_numpy(float) * 1e6).astype(np.int64)


def _slice(track: Event, name: str, begin: int, end: int, **args: object) -> Event:
    return {"ph": "X", **track, "name": name, "cat": "recfleet", "ts": begin, "dur": end - begin, "args": args}


def _counters(series: pd.DataFrame) -> Iterator[Event]:
    """Means over the windows; where there is nothing to divide by, as at no replica's utilisation, 0."""
    begins, end = _us(series["from_s"]).tolist(), int(_us(series["until_s"])[-1])
    for name, column in COUNTERS.items():
        values = [*series[column].fillna(0.0).round(6).tolist(), 0.0]
        for ts, value in zip([*begins, end], values, strict=True):
            yield {"ph": "C", "pid": CLOUD, "tid": CLOUD, "name": name, "ts": ts, "args": {"value": value}}


# Replicas


@dataclass(frozen=True)
class _Work:
    """A batch, or a request among others, from begin to end on a replica. rows: in the log, -1 where it was lost."""

    name: str
    replica: int
    begin: int
    end: int
    size: int
    rows: tuple[int, ...]


def _replicas(tables: Tables, tracks: _Tracks, heard: dict[int, bool]) -> Iterator[Event]:
    """A track of each replica for what it is about, and one or more for what it works on.

    heard: rows of the log that arrows lead to, and whether they lead on to the device.
    """
    shifts = tables.shifts.assign(begin=_us(tables.shifts["since_s"]), end=_us(tables.shifts["until_s"]))
    by_replica = {replica: list(each) for replica, each in groupby(_work(tables), key=lambda work: work.replica)}
    for replica, own in shifts.groupby("replica"):
        slow = own["state"] == "slow"
        for name, rows in (("state", own[~slow]), ("brown-outs", own[slow])):
            if len(rows):
                track = tracks.thread(CLOUD, f"replica {replica} {name}")
                for state, begin, end in zip(rows["state"], rows["begin"].tolist(), rows["end"].tolist(), strict=True):
                    yield _slice(track, str(state), begin, end)
        lanes: list[Event] = []
        for work, lane in _lanes(by_replica.get(replica, [])):
            if lane == len(lanes):
                lanes.append(tracks.thread(CLOUD, f"replica {replica}" + (f" lane {lane + 1}" if lane else "")))
            yield from _worked(work, lanes[lane], heard)


def _work(tables: Tables) -> list[_Work]:
    """By replica and begin."""
    log = tables.requests[tables.requests["started_s"].notna()]
    lost = tables.detours[tables.detours["started_s"].notna()]
    found = pd.DataFrame(
        {
            "replica": np.append(log["replica"], lost["replica"]),
            "begin": np.append(_us(log["started_s"]), _us(lost["started_s"])),
            "end": np.append(_us(log["finished_s"]), _us(lost["ended_s"])),
            "size": np.append(log["batch_size"], lost["batch_size"]),
            "row": np.append(log.index.to_numpy(), np.full(len(lost), -1)),
        }
    ).sort_values(["replica", "begin", "end"], kind="stable")
    rows = zip(*(found[name].tolist() for name in ("replica", "begin", "end", "size", "row")), strict=True)
    if tables.continuous:
        return [_Work("request", replica, begin, end, size, (row,)) for replica, begin, end, size, row in rows]
    batches = []
    for (replica, begin, end), members in groupby(rows, key=lambda row: row[:3]):
        of = tuple(row[-1] for row in members)
        batches.append(_Work(f"batch of {len(of)}", replica, begin, end, len(of), of))
    return batches


def _lanes(work: list[_Work]) -> Iterator[tuple[_Work, int]]:
    """Each with the lowest lane that is free when it begins."""
    busy: list[tuple[int, int]] = []
    free: list[int] = []
    for each in work:
        while busy and busy[0][0] <= each.begin:
            heappush(free, heappop(busy)[1])
        lane = heappop(free) if free else len(busy)
        heappush(busy, (each.end, lane))
        yield each, lane


def _worked(work: _Work, track: Event, heard: dict[int, bool]) -> Iterator[Event]:
    lost = {"lost": "the replica crashed or went"} if -1 in work.rows else {}
    yield _slice(track, work.name, work.begin, work.end, batch_size=work.size, **lost)
    for row in work.rows:
        if row in heard:
            yield _arrow("t" if heard[row] else "f", track, row, work.begin)


# Devices


def _attempts(requests: pd.DataFrame, chosen: IntArray) -> pd.DataFrame:
    """Rows of the log of these devices, times in microseconds; heard: whether any of what work began on came back."""
    own = requests[requests["device"].isin(chosen)]
    names = ("sent", "arrived", "started", "finished", "left", "answered", "settled")
    times = {name: _us(own[f"{name}_s"]) for name in names}
    latency = (1000 * (own["answered_s"] - own["intended_s"])).round(3)
    log = own.assign(row=own.index, latency_ms=latency, **times)
    back = log["settled"].where(log["answered"] < 0, np.minimum(log["answered"], log["settled"]))
    return log.assign(heard=(log["started"] >= 0) & (log["finished"] < back))


def _devices(own: pd.DataFrame, tracks: _Tracks) -> Iterator[Event]:
    """A track of each device: its attempts, and what each waited for."""
    for device, rows in own.groupby("device"):
        track = tracks.thread(DEVICES, f"device {device}")
        for attempt in rows.to_dict("records"):
            yield from _attempt(attempt, track)


def _attempt(r: Mapping[Hashable, Any], track: Event) -> Iterator[Event]:
    sent, end, works = r["sent"], r["settled"], r["started"] >= 0
    args = {name: r[name] for name in ("step", "attempt", "cut", "status", "replica", "batch_size", "applied_step")}
    if r["answered"] >= 0:
        args["latency_ms"] = r["latency_ms"]
    yield _slice(track, str(r["status"]), sent, end, **args)
    if works:
        yield _arrow("s", track, r["row"], sent)
    left = r["left"]
    ends = (r["arrived"], r["started"] if works else left, r["finished"] if works else left, r["answered"])
    begin = sent
    for phase, came in zip(("uplink", "queue", "work", "downlink"), ends, strict=True):
        until = min(came, end) if came >= 0 else end
        if until > begin:
            yield _slice(track, phase, begin, until)
            if phase == "downlink" and r["heard"]:
                yield _arrow("f", track, r["row"], begin)
        begin = max(begin, until)
    if r["answered"] > end:
        late = {"step": r["step"]}
        yield {
            "ph": "i",
            "s": "t",
            **track,
            "cat": "recfleet",
            "name": "late answer",
            "ts": r["answered"],
            "args": late,
        }


def _arrow(kind: str, track: Event, row: int, time: int) -> Event:
    """Where an arrow begins (s), passes (t) or ends (f): in the slice that is open on the track."""
    ends = {} if kind == "s" else {"bp": "e"}
    return {"ph": kind, **track, "cat": "request", "name": "request", "id": row, "ts": time, **ends, "args": {}}
