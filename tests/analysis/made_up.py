"""A folder of results as a run leaves it (docs/design.md), made without the engine: one queue, and lists that fade."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from analysis.curve import Digest, curve, digest, to_csv
from analysis.summary import STATUSES

FRESH, FADED = 0.34, 0.10
"""Share of hits with a fresh list, and with one of any age or none."""
ONE_WAY_S = 0.03

NOTHING: dict[str, Any] = {
    "device": 0,
    "user": 0,
    "step": 0,
    "cut": 0,
    "attempt": 1,
    "applied_step": -1,
    "status": "lost",
    "batch_size": 0,
    "replica": -1,
    **dict.fromkeys(("intended_s", "sent_s", "arrived_s", "started_s", "finished_s", "left_s"), np.nan),
    **dict.fromkeys(("answered_s", "settled_s"), np.nan),
    "gpu_s": 0.0,
    "uplink_bytes": 400,
    "downlink_bytes": 0,
}
"""A request that was lost on its way."""

Asks = Callable[[int, float, float, float], bool]
"""(age in clicks, of which half the gain is lost, a coin, the parameter) -> whether the device asks."""

RULES: dict[str, Asks] = {
    "never": lambda age, half, coin, value: False,
    "always": lambda age, half, coin, value: True,
    "random": lambda age, half, coin, value: coin < value,
    "periodic": lambda age, half, coin, value: age >= value,
    "footrule": lambda age, half, coin, value: 0.3 * min(age, 20) / 20 + 0.7 * coin > value,
    "learned": lambda age, half, coin, value: age > 0 and 0.5 ** (age / half) < value,
    "oracle": lambda age, half, coin, value: age > 0 and 0.5 ** (age / half) < value + 0.1 * (coin - 0.5),
}
SWEEP: dict[str, list[float | None]] = {
    "never": [None],
    "random": [0.03, 0.2, 0.6],
    "periodic": [2, 5, 30],
    "learned": [0.1, 0.3, 0.6],
    "always": [None],
}


def make(
    folder: Path,
    sweep: dict[str, list[float | None]] | None = None,
    *,
    name: str = "made-up",
    question: str = "What does it cost to ask less often?",
    rules: dict[str, str] | None = None,
    users: int = 40,
    replications: int = 2,
    service_s: float = 0.1,
    queue_limit: float = 200,
    fresh: float = FRESH,
    device_bytes: int = 215_000,
    policy_bytes: dict[str, int] | None = None,
) -> Path:
    """Write a folder of results. sweep: policy -> parameters. rules: policy -> which of `RULES` it obeys, its own name
    by default. service_s: mean time of the one replica on a request. device_bytes: of the item
    vectors on a device. policy_bytes: by policy."""
    sweep = sweep or SWEEP
    points = [(policy, value) for policy, values in sweep.items() for value in values]
    cells, digests = [], []
    for policy, value in points:
        for replication in range(replications):
            rule = RULES[(rules or {}).get(policy, policy)]
            log, devices, series, ages = _run(rule, value or 0.0, users, replication, service_s, queue_limit, fresh)
            counts = log["status"].value_counts()
            facts = {
                "policy": policy,
                "parameter": value,
                "replication": replication,
                "seed": 100 + replication,
                "duration_s": float(log["answered_s"].max()) if len(log) else 100.0,
                "replicas": 1,
                "busy_s": float(log["gpu_s"].sum()),
                "usd": float(log["gpu_s"].sum()) / 2000,
                "ledger": {"issued": len(log)} | {status: int(counts.get(status, 0)) for status in STATUSES},
            }
            if policy_bytes:
                facts["policy_bytes"] = policy_bytes[policy]
            digests.append(digest([log], devices, facts))
            cells.append(f"{len(cells):03d}")
            _write(folder / "cells" / cells[-1], log, devices, {"series": series, "ages": ages}, digests[-1], facts)
    scenario = {
        "version": 1,
        "name": name,
        "question": question,
        "cloud": {"replicas": 1, "service_s": service_s, "batching": {"kind": "static"}},
        "sweep": {"replications": replications, "policies": [{"kind": policy} for policy in sweep]},
    }
    text = yaml.safe_dump(scenario, sort_keys=False)
    (folder / "scenario.yaml").write_text(text)
    grid = {"cells": cells, "scenario": hashlib.sha256(text.encode()).hexdigest()}
    (folder / "grid.json").write_text(json.dumps(grid))
    made = curve(digests)
    (folder / "curve.csv").write_text(to_csv(made))
    summary = {
        "name": name,
        "question": question,
        "recfleet": "0.1.0",
        "data": {"name": "made-up", "digest": "0" * 20, "users": users},
        "recommenders": {
            "srm": {"kind": "sasrec", "parameters": 12345, "bytes_without_item_vectors": 49_380},
            "device_catalogue": {"items": 1682, "bytes": device_bytes},
        },
        "points": json.loads(made.to_json(orient="records", double_precision=10)),
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "timings.json").write_text(json.dumps({"cells": 1.5}))
    return folder


def _run(
    asks: Asks, value: float, users: int, replication: int, service_s: float, queue_limit: float, fresh: float
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Interactions in the order of time; the server takes requests one by one, so that each ends when it is sent."""
    lengths = 20 + np.arange(users) * 7 % 41
    device = np.repeat(np.arange(users), lengths)
    step = np.concatenate([np.arange(n) for n in lengths])
    draws = np.random.default_rng(replication)
    gaps = draws.exponential(10.0, len(step)) + 0.5
    time = np.concatenate([np.cumsum(each) for each in np.split(gaps, np.cumsum(lengths)[:-1])])
    coins, chances = draws.uniform(size=(2, len(step)))
    work = draws.exponential(service_s, len(step))
    lost = draws.uniform(size=len(step)) < 0.01
    halves = 3 + 12 * (np.arange(users) * 37 % 101) / 101

    rows: list[dict[str, Any]] = []
    gains = np.zeros(len(time))
    by_age: dict[int, np.ndarray] = {}
    pending, cut = [-1] * users, [-1] * users
    free, starts = 0.0, [0.0]
    sums = np.zeros((users, 6))  # hits, gains, reciprocal ranks, staleness, held, requests
    for i in np.argsort(time, kind="stable").tolist():
        d, t, now = int(device[i]), int(step[i]), float(time[i])
        waited = pending[d]
        if waited >= 0 and rows[waited]["answered_s"] <= now:
            cut[d], rows[waited]["applied_step"], pending[d] = rows[waited]["step"], t, -1
        elif waited >= 0 and now > rows[waited]["sent_s"] + 30:
            pending[d] = -1
        age = t - cut[d] if cut[d] >= 0 else 1_000
        opens = cut[d] < 0 and pending[d] < 0 and asks is not RULES["never"]
        if opens or (pending[d] < 0 and asks(age, halves[d], coins[i], value)):
            arrived = now + ONE_WAY_S
            waiting = len(starts) - bisect_right(starts, arrived)
            row = NOTHING | {"device": d, "user": d, "step": t, "cut": t, "intended_s": now, "sent_s": now}
            row["settled_s"] = now + 30
            if not lost[i]:
                row |= {"arrived_s": arrived, "left_s": arrived, "status": "rejected", "downlink_bytes": 200}
                row["settled_s"] = arrived + ONE_WAY_S
                if waiting < queue_limit:
                    begin = max(arrived, free)
                    free = begin + float(work[i])
                    starts.append(begin)
                    row |= {"started_s": begin, "left_s": np.nan, "finished_s": free, "answered_s": free + ONE_WAY_S}
                    row |= {"status": "answered", "batch_size": 1, "replica": 0, "gpu_s": float(work[i])}
                    row |= {"downlink_bytes": 800, "settled_s": free + ONE_WAY_S}
            pending[d] = len(rows)
            rows.append(row)
            sums[d, 5] += 1
        gain = 0.5 ** (age / halves[d]) if cut[d] >= 0 else 0.0
        place = chances[i] / (FADED + (fresh - FADED) * gain)  # below 1 in the first ten
        rank = 1 + int(10 * place)
        gains[i] = (place < 1) / np.log2(rank + 1)
        sums[d, :5] += (place < 1, gains[i], 1 / rank, age if gain else 0, cut[d] >= 0)
        by_age.setdefault(age if cut[d] >= 0 else -1, np.zeros(4))[:] += (1, place < 1, gains[i], 1 / rank)
    log = pd.DataFrame(rows, columns=list(NOTHING))
    names = ["hits_at_10", "ndcg_at_10", "reciprocal_rank", "staleness", "held", "requests"]
    devices = pd.DataFrame(sums, columns=names).astype({"staleness": int, "held": int, "requests": int})
    owner = log["device"].astype(int)
    devices = devices.assign(
        device=range(users),
        user=range(users),
        interactions=lengths,
        waited_s=0.0,
        uplink_bytes=np.bincount(owner, weights=log["uplink_bytes"].astype(float), minlength=users).astype(int),
        downlink_bytes=np.bincount(owner, weights=log["downlink_bytes"].astype(float), minlength=users).astype(int),
    )
    columns = ["interactions", *names[:3]]
    ages = pd.DataFrame.from_dict(by_age, orient="index", columns=columns).sort_index().rename_axis("age").reset_index()
    return log, devices, _series(log, time, gains), ages


def _series(log: pd.DataFrame, time: np.ndarray, gains: np.ndarray) -> pd.DataFrame:
    """What the report and the trace read of a run over time."""
    edges = np.linspace(0, max(time.max(), log["settled_s"].max() if len(log) else 0), 101)
    place = np.minimum(np.searchsorted(edges, time, side="right") - 1, 99)
    lived = np.bincount(place, minlength=100)
    width = np.diff(edges)

    def mean(begin: str, end: str) -> np.ndarray:
        spans = log[[begin, end]].dropna().to_numpy(float)
        shared = np.minimum(spans[:, 1:], edges[1:]) - np.maximum(spans[:, :1], edges[:-1])
        return np.maximum(shared, 0).sum(axis=0) / width

    with np.errstate(invalid="ignore"):
        accuracy = np.bincount(place, weights=gains, minlength=100) / lived
    return pd.DataFrame(
        {
            "from_s": edges[:-1],
            "until_s": edges[1:],
            "interactions": lived,
            "in_flight": mean("sent_s", "settled_s"),
            "waiting": mean("arrived_s", "started_s"),
            "utilisation": mean("started_s", "finished_s"),
            "ndcg_at_10": accuracy,
            "replicas_up": 1.0,
        }
    )


def _write(
    folder: Path,
    log: pd.DataFrame,
    devices: pd.DataFrame,
    over: dict[str, pd.DataFrame],
    boiled: Digest,
    facts: dict[str, Any],
) -> None:
    folder.mkdir(parents=True)
    ends = [over["series"]["until_s"].iloc[-1]]
    tables = {
        "requests": log,
        "devices": devices,
        "users": boiled.users,
        **over,
        "shifts": pd.DataFrame({"replica": [0], "state": ["up"], "since_s": [0.0], "until_s": ends}),
        "detours": pd.DataFrame(columns=["request", "replica", "started_s", "ended_s", "batch_size"], dtype=float),
    }
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "cell.json").write_text(json.dumps({**facts, "summary": boiled.summary}))
