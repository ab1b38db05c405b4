"""A run over time adds up to the run, and is what somebody sees who watches it moment by moment."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from troubles import rough_worlds
from worlds import POLICIES, HashDevice, outcomes, policy, world

from simulator.clock import SECOND
from simulator.live import LiveFleet
from simulator.policies.base import Policy
from simulator.rehearse import rehearse
from simulator.run import Result, run
from simulator.series import ROUND, WINDOWS, Windows
from simulator.shown import Shown
from simulator.stage import Stage
from simulator.world import World

some = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


def result(w: World, p: Policy, seed: int = 1) -> Result:
    return run(w, p, seed, rehearse(w, [p], seed, outcomes(w)))


def total(series: pd.DataFrame, column: str) -> float:
    """A mean over time, summed up to the time that it stands for; windows of no length stand for none."""
    return float((series[column].fillna(0) * (series["until_s"] - series["from_s"])).sum())


@given(st.integers(1, 10**16))
def test_windows_are_round_and_about_as_many_as_wanted(end: int) -> None:
    windows = Windows.over(end)
    assert windows.width in ROUND
    assert windows.edges[0] == 0
    assert windows.edges[-1] == end
    assert (np.diff(windows.edges) > 0).all()
    if end >= WINDOWS:
        assert WINDOWS / 2 <= windows.count <= WINDOWS * 2


@given(rough_worlds(), POLICIES, st.integers(0, 3))
@some
def test_windows_add_up_to_the_run(w: World, p: Policy, seed: int) -> None:
    r = result(w, p, seed)
    s, ledger = r.series, r.ledger
    assert s["until_s"].iloc[-1] == r.duration_s
    assert s["from_s"].iloc[1:].tolist() == s["until_s"].iloc[:-1].tolist()
    assert s["interactions"].sum() == r.devices["interactions"].sum()
    assert s["sent"].sum() == ledger.issued
    assert s["answered"].sum() == ledger.answered
    assert s["failed"].sum() == ledger.rejected + ledger.timed_out + ledger.lost
    for column in ("hits_at_10", "ndcg_at_10"):
        assert (s[column] * s["interactions"]).sum() == pytest.approx(r.devices[column].sum())
    assert s["utilisation"].dropna().between(0, 1).all()
    assert (s["batch_size"].dropna() >= 1 - 1e-9).all()
    assert (s["latency_p95_s"] >= s["latency_p50_s"]).sum() == (s["answered"] > 0).sum()


@given(rough_worlds(), POLICIES, st.integers(0, 3))
@some
def test_littles_law_holds_of_the_windows(w: World, p: Policy, seed: int) -> None:
    """The time spent in a place, over all who were there, is the area under the number there (Little, 1961)."""
    r = result(w, p, seed)
    s, q, d = r.series, r.requests, r.detours
    until = np.minimum(q["settled_s"], r.duration_s)
    assert total(s, "in_flight") == pytest.approx((until - q["sent_s"]).clip(lower=0).sum(), abs=1e-6)
    worked = d["started"] >= 0
    lost = (d["ended"] - d["started"])[worked].sum() / SECOND
    served = (q["finished_s"] - q["started_s"]).sum()
    assert total(s, "in_work") == pytest.approx(served + lost, abs=1e-6)
    # Whoever came was waiting or in work until he left for good.
    stay = q["finished_s"].fillna(q["left_s"]).fillna(r.duration_s) - q["arrived_s"]
    assert total(s, "waiting") + total(s, "in_work") == pytest.approx(stay.sum(), abs=1e-6)
    if w.cloud.scaling.kind == "none" and not w.cloud.crashes:
        assert s["utilisation"].fillna(0) @ (s["until_s"] - s["from_s"]) * w.cloud.replicas == pytest.approx(
            r.busy_s, abs=1e-6
        )
        assert s["replicas_up"].dropna().to_numpy() == pytest.approx(w.cloud.replicas)


@given(rough_worlds(), st.integers(0, 3))
@some
def test_means_over_time_are_those_of_a_plain_walk_through_all_events(w: World, seed: int) -> None:
    r = result(w, policy("always"), seed)
    changes = defaultdict(lambda: np.zeros(3))
    again = defaultdict(list)
    for number, started, ended in zip(*(r.detours[k].tolist() for k in ("number", "started", "ended")), strict=True):
        again[number].append((started / SECOND if started >= 0 else ended / SECOND, ended / SECOND))
    for number, row in enumerate(r.requests.itertuples()):
        changes[row.sent_s] += (1, 0, 0)
        changes[row.settled_s] -= (1, 0, 0)
        if np.isnan(row.arrived_s):
            continue
        here = row.arrived_s
        for started, ended in again[number]:
            changes[here] += (0, 1, 0)
            changes[started] += (0, -1, 1)
            changes[ended] -= (0, 0, 1)
            here = ended
        changes[here] += (0, 1, 0)
        if not np.isnan(row.started_s):
            changes[row.started_s] += (0, -1, 1)
            changes[row.finished_s] -= (0, 0, 1)
        elif not np.isnan(row.left_s):
            changes[row.left_s] -= (0, 1, 0)
    for window in r.series.itertuples():
        if window.until_s <= window.from_s:
            continue
        inside = sorted(t for t in changes if window.from_s < t < window.until_s)
        state = sum((changes[t] for t in changes if t <= window.from_s), np.zeros(3))
        area, before = np.zeros(3), window.from_s
        for time in [*inside, window.until_s]:
            area += state * (time - before)
            state, before = state + changes[time] if time in changes else state, time
        mean = area / (window.until_s - window.from_s)
        assert (window.in_flight, window.waiting, window.in_work) == pytest.approx(mean, abs=1e-5)


class Watched:
    """Models that note when each device shows which list."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int, int, int]] = []
        self.stage: Stage | None = None

    def device(self, user: int) -> HashDevice:
        watched = self

        class Noting(HashDevice):
            def rank(self) -> int:
                rank = super().rank()
                assert watched.stage is not None
                watched.seen.append((watched.stage.clock.tick, self._step, self._cut, rank))
                return rank

        return Noting(user)


@given(rough_worlds(), POLICIES, st.integers(0, 3))
@some
def test_what_is_shown_counts_when_a_live_device_shows_it(w: World, p: Policy, seed: int) -> None:
    """Waits move a blocking device's later interactions: the live engine says where to."""
    models = Watched()
    stage = models.stage = Stage.of(w, seed, None)
    LiveFleet(stage, p, seed, models)
    stage.play()
    r = result(w, p, seed)
    windows = Windows.over(round(r.duration_s * SECOND))
    assert windows.count == len(r.series)
    by_window = defaultdict(list)
    for tick, *what in models.seen:
        by_window[min(tick // windows.width, windows.count - 1)].append(what)
    for number, window in enumerate(r.series.itertuples()):
        here = by_window[number]
        ages = [step - cut for step, cut, _ in here if cut >= 0]
        ranks = [rank for *_, rank in here]
        assert window.interactions == len(here)
        assert window.staleness == pytest.approx(np.mean(ages) if ages else np.nan, nan_ok=True)
        assert window.hits_at_10 == pytest.approx(
            np.mean([1 <= k <= 10 for k in ranks]) if here else np.nan, nan_ok=True
        )
        gains = [1 / np.log2(k + 1) if 1 <= k <= 10 else 0.0 for k in ranks]
        assert window.ndcg_at_10 == pytest.approx(np.mean(gains) if here else np.nan, nan_ok=True)


def test_latency_counts_from_when_the_request_was_meant_to_be_sent() -> None:
    """A replica that takes 1 s for each of two devices that want something every 0.1 s: the user who waits for his
    answers comes ever later, and so ever longer after he meant to."""
    w = world(
        steps=[4, 4],
        stamps=[0.0, 0.1, 0.2, 0.3] * 2,
        pace={"kind": "recorded", "start_spread_s": 0.0},
        fleet={"waiting": {"kind": "blocking", "deadline_ms": 60_000}, "timeout_s": 100.0},
        network={"rtt_ms": 0, "rtt_sigma": 0.0, "uplink_mbps": None, "downlink_mbps": None},
        cloud={"service": {"milliseconds": {1: 1000.0}}, "batching": {"max_size": 1, "max_wait_ms": 0.0}},
    )
    r = result(w, policy("always"))
    latency = (r.requests["answered_s"] - r.requests["intended_s"]).to_numpy()
    assert latency.max() > 7
    worst = r.series["latency_p95_s"].max()
    assert worst == pytest.approx(latency.max())


def test_pieces_of_any_size_tell_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded by looking at some devices at a time, which changes nothing."""
    w = world(steps=[12, 7, 20], fleet={"devices": 50, "waiting": {"kind": "blocking", "deadline_ms": 20}})
    whole = result(w, policy("random", probability=0.3))
    sizes: list[int] = []
    monkeypatch.setattr("simulator.shown.BATCH", 64)
    monkeypatch.setattr("simulator.pace.BLOCK", 8)
    made = Shown.__init__

    def noted(self: Shown, *what: object) -> None:
        made(self, *what)  # type: ignore[arg-type]
        sizes.append(len(self.ranks))

    monkeypatch.setattr(Shown, "__init__", noted)
    pieces = result(w, policy("random", probability=0.3))
    pd.testing.assert_frame_equal(whole.series, pieces.series, check_exact=True)
    pd.testing.assert_frame_equal(whole.devices, pieces.devices, check_exact=True)
    assert len(sizes) > 5
    assert max(sizes) <= 64
