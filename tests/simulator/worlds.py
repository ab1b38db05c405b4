"""Small worlds, and recommenders whose outcomes are a hash: cheap, and the same in batches or one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from clouds import clouds
from hypothesis import strategies as st
from pydantic import TypeAdapter

from scenarios.schema.cloud import Cloud
from scenarios.schema.data import DrawnPace, Pace
from scenarios.schema.fleet import Fleet
from scenarios.schema.network import Network
from simulator.outcomes import NOTHING, IntArray
from simulator.policies import AnyPolicy
from simulator.policies.base import Family, Policy
from simulator.world import World

LIST = 20
FAMILY: TypeAdapter[Family] = TypeAdapter(AnyPolicy)
PACE: TypeAdapter[Any] = TypeAdapter(Pace)


def policy(kind: str, **keys: Any) -> Policy:
    return FAMILY.validate_python({"kind": kind, **keys}).points(lambda _: np.linspace(0, 10, 101))[0].policy


def mixed(user: npt.ArrayLike, cut: npt.ArrayLike, step: npt.ArrayLike) -> npt.NDArray[np.uint64]:
    x = np.atleast_1d(np.asarray(user, np.uint64)) * np.uint64(1_000_003) + np.asarray(np.add(cut, 2), np.uint64)
    x = x * np.uint64(1_000_033) + np.asarray(step, np.uint64) + np.uint64(12345)
    x = (x ^ (x >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return x ^ (x >> np.uint64(32))


def footrules(user: npt.ArrayLike, cut: npt.ArrayLike, step: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """In 0 .. 10, larger on the average the staler the list."""
    age = np.minimum(np.subtract(step, cut), 20) / 20
    noise = (mixed(user, cut, step) % np.uint64(1000)).astype(np.float64) / 1000
    return (10 * (0.7 * noise + 0.3 * age)).astype(np.float32)


def ages(user: npt.ArrayLike, cut: npt.ArrayLike, step: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Steps since the cut."""
    return np.atleast_1d(np.subtract(step, cut)).astype(np.float32)


SIGNALS = {"footrule": footrules, "age": ages}


class HashOutcomes:
    """Outcomes that cost nothing; notes what it was asked to prepare."""

    def __init__(self, steps: IntArray) -> None:
        self.steps = steps
        self.answer_items = LIST
        self.batches: list[set[tuple[int, int]]] = []
        self.missed: set[tuple[int, int]] = set()
        """Whose signals were looked at without having been asked for in a batch."""
        self.late: set[tuple[int, int]] = set()
        """Whose ranks were."""
        self._ready: set[tuple[int, int]] = set()

    def ensure(self, users: IntArray, cuts: IntArray, until: IntArray) -> None:
        assert len(users) == len(cuts) == len(until)
        assert (cuts >= NOTHING).all()
        assert (until > np.maximum(cuts, 0)).all()
        assert (until <= self.steps[users]).all()
        self.batches.append(set(zip(users.tolist(), cuts.tolist(), strict=True)))
        self._ready |= self.batches[-1]

    def signal(self, name: str, user: int, cut: int, start: int, stop: int) -> npt.NDArray[np.float32]:
        assert 0 <= cut <= start < stop <= self.steps[user]
        if (user, cut) not in self._ready:
            self.missed.add((user, cut))
        return SIGNALS[name](user, cut, np.arange(start, stop))

    def signals(
        self, name: str, users: IntArray, cuts: IntArray, starts: IntArray, stops: IntArray
    ) -> npt.NDArray[np.float32]:
        runs = zip(*(each.tolist() for each in (users, cuts, starts, stops)), strict=True)
        return np.concatenate([self.signal(name, *run) for run in runs])

    def ranks(self, users: IntArray, cuts: IntArray, starts: IntArray, stops: IntArray) -> npt.NDArray[np.uint16]:
        assert (stops > starts).all()
        assert ((cuts <= starts) & (cuts >= NOTHING)).all()
        self.late |= set(zip(users.tolist(), cuts.tolist(), strict=True)) - self._ready
        length = stops - starts
        step = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length) + np.repeat(starts, length)
        drawn = mixed(np.repeat(users, length), np.repeat(cuts, length), step)
        return (drawn % np.uint64(LIST + 1)).astype(np.uint16)


class HashModels:
    """The same numbers from a device that looks, holds and ranks."""

    def device(self, user: int) -> HashDevice:
        return HashDevice(user)


class HashDevice:
    def __init__(self, user: int) -> None:
        self._user = user
        self._step = -1
        self._cut = NOTHING

    def look(self, step: int) -> None:
        assert self._step in (step - 1, -1), "every interaction since it came is looked at, in order"
        self._step = step

    def hold(self, cut: int) -> None:
        assert self._step == -1 or self._cut < cut <= self._step, "never an older list over a newer one"
        self._cut = cut

    def rank(self) -> int:
        return int(mixed(self._user, self._cut, self._step)[0] % np.uint64(LIST + 1))

    def signals(self) -> dict[str, float]:
        assert self._cut != NOTHING
        return {name: float(values(self._user, self._cut, self._step)[0]) for name, values in SIGNALS.items()}


def world(
    steps: list[int] | None = None,
    stamps: list[float] | None = None,
    pace: dict[str, Any] | None = None,
    fleet: dict[str, Any] | None = None,
    network: dict[str, Any] | None = None,
    cloud: dict[str, Any] | None = None,
) -> World:
    """A world; users are 3, 6, 9 .. so that a place among them is no user. Without stamps they rise by one."""
    lengths = np.array(steps or [12, 7, 20])
    first = np.cumsum(lengths) - lengths
    total = int(lengths.sum())
    return World(
        pace=DrawnPace() if pace is None else PACE.validate_python(pace),
        fleet=Fleet(**(fleet or {})),
        network=Network(**(network or {})),
        cloud=Cloud(**(cloud or {})),
        users=3 * np.arange(1, len(lengths) + 1),
        steps=lengths,
        first=first,
        stamps=np.arange(total, dtype=np.float64) if stamps is None else np.array(stamps),
        answer_items=LIST,
        all_users=3 * len(lengths) + 1,
    )


def outcomes(world: World) -> HashOutcomes:
    steps = np.zeros(max(world.all_users, world.users.max() + 1), np.int64)
    steps[world.users] = world.steps
    return HashOutcomes(np.tile(steps, 4))  # of as many versions of the device's model as a world may have


def budgeted(rule: dict[str, Any]) -> st.SearchStrategy[Policy]:
    """A rule in buckets of all kinds."""
    burst = st.integers(1, 3)
    return st.one_of(
        st.builds(lambda b: policy("bucket", rule=rule, per_interaction=0.3, burst=b), burst),
        st.builds(lambda b: policy("bucket", rule=rule, per_hour=36_000.0, burst=b), burst),
    )


TRACKERS = st.sampled_from([{"kind": "tracker", "rate": 0.2, "step": step} for step in (0.1, 3.0)])
PRICED = st.sampled_from([{"kind": "priced", "threshold": 5.0, "half_life_s": half} for half in (0.05, 60.0)])
POLICIES = st.one_of(
    st.just(policy("always")),
    st.just(policy("never")),
    st.builds(lambda p: policy("random", probability=p), st.sampled_from([0.0, 0.1, 0.5, 1.0])),
    st.builds(lambda n: policy("periodic", every=n), st.integers(1, 9)),
    st.builds(lambda t: policy("footrule", threshold=t), st.sampled_from([0.0, 2.0, 5.0, 8.0, 20.0])),
    st.builds(lambda w: policy("threshold", weights={"footrule": w}, threshold=5 * w), st.sampled_from([-1.0, 1.0])),
    st.builds(lambda t: policy("threshold", signal="seconds", threshold=t), st.sampled_from([0.0, 0.05, 1.0, 60.0])),
    st.just(policy("threshold", weights={"seconds": 1, "footrule": 0.1}, threshold=1)),
    st.builds(lambda keys: policy(**keys), TRACKERS | PRICED),
    st.one_of(TRACKERS, PRICED, st.just({"kind": "always"})).flatmap(budgeted),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Worlds in which everything goes wrong that can: loss, time-outs, rejections, waits, equal times, no time."""
    steps = draw(st.lists(st.integers(1, 40), min_size=1, max_size=6))
    gaps = st.sampled_from([0.0, 0.0, 0.001, 0.01, 0.05, 1.0, 3600.0])
    stamps: list[float] = []
    for n in steps:
        stamps += np.cumsum(draw(st.lists(gaps, min_size=n, max_size=n))).tolist()
    if draw(st.booleans()):
        pace: dict[str, Any] = {"kind": "recorded", "compression": draw(st.sampled_from([1.0, 10.0]))}
    else:
        pace = {"kind": "drawn", "think_time_s": draw(st.sampled_from([0.01, 0.3])), "session_length": 5, "pause_s": 1}
    pace["start_spread_s"] = draw(st.sampled_from([0.0, 0.0, 0.02, 1.0]))
    fleet: dict[str, Any] = {"devices": draw(st.integers(1, 12)), "timeout_s": draw(st.sampled_from([0.02, 0.2, 10.0]))}
    if draw(st.booleans()):
        fleet["interactions"] = draw(st.integers(1, 30))
    if draw(st.booleans()):
        fleet["waiting"] = {"kind": "blocking", "deadline_ms": draw(st.sampled_from([1, 10, 20, 60, 1000]))}
    network = {
        "rtt_ms": draw(st.sampled_from([0, 10, 60, 300])),
        "rtt_sigma": draw(st.sampled_from([0.0, 1.0])),
        "uplink_mbps": draw(st.sampled_from([None, 1.0])),
        "downlink_mbps": draw(st.sampled_from([None, 1.0])),
        "loss": draw(st.sampled_from([0.0, 0.2, 0.9])),
    }
    return world(
        steps,
        stamps,
        pace,
        fleet,
        network,
        draw(clouds(1.0 if pace["kind"] == "drawn" or max(stamps) < 100 else 300.0)),
    )
