"""The LLM service: requests in at the door, answers and rejections out.

A request is answered from the cache, or kept out at the door, or joins a queue: the only one, or that of the replica to
which it is routed. Stations (a queue and its replicas) do the work; here replicas come, crash, recover and go.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from scenarios.schema.capacity import ConcurrencyScaling, DeviceAnswerCache
from scenarios.schema.cloud import Cloud as CloudSpec
from scenarios.schema.queueing import ContinuousBatching, ShedByDeadline
from scenarios.schema.queueing import TokenBucket as TokenBucketSpec
from simulator.clock import CAPACITY, MILLISECOND, NEVER, Clock, ticks
from simulator.cloud.accounts import Accounts, draw_up
from simulator.cloud.admission import TokenBucket
from simulator.cloud.answers import AnswerCache
from simulator.cloud.autoscaling import Autoscaler
from simulator.cloud.continuous import ContinuousStation
from simulator.cloud.discipline import line_of
from simulator.cloud.failures import Spells
from simulator.cloud.pricing import pricing_of
from simulator.cloud.replicas import DOWN, DRAINING, LOADING, UP, Replicas
from simulator.cloud.routing import router_of
from simulator.cloud.static import StaticStation
from simulator.cloud.station import Rules, Station
from simulator.cloud.work import Work
from simulator.outcomes import NOTHING
from simulator.request import Request

_LOOK = CAPACITY + (1 << 26)
"""Priority of the autoscaler's look, after all that happens to single replicas."""


class Cloud:
    """The service; `reply` is told of every request that leaves it, served or rejected (its cut is `NOTHING`).

    history: items that a request's history holds.
    """

    def __init__(
        self,
        clock: Clock,
        spec: CloudSpec,
        seed: int,
        history: Callable[[Request], int],
        reply: Callable[[Request], None],
    ) -> None:
        self._clock = clock
        self._spec = spec
        self._seed = seed
        self._history = history
        self._reply = reply
        self._busy = [0] * spec.most_replicas
        self._work = Work(spec, seed, history)
        self._detours: list[tuple[int, ...]] = []
        self.replicas = Replicas(clock)
        self._own_queues = spec.routing != "shared-queue"
        self._stations = [self._station(number) for number in range(spec.most_replicas if self._own_queues else 1)]
        self._router = router_of(spec.routing, seed, self._present) if self._own_queues else None
        self._enter = self._route if self._own_queues else self._stations[0].arrive
        self.arrive: Callable[[Request], None] = self._door()
        """Take a request in, or reject it."""
        self.pricing = pricing_of(spec.pricing, self._load)
        """What sets the price that replies tell, where they do."""
        self._crashes = Spells(spec.crashes, seed, "crash")
        self._brownouts = Spells(spec.brownouts, seed, "brownout")
        for replica in range(spec.replicas):
            self._come_up(replica)
        for replica in range(spec.most_replicas):
            self._slow_down(replica)
            self._watch(self._crashes, replica, self._crash_or_restart)
            self._watch(self._brownouts, replica, self._slow_down)
        if isinstance(spec.scaling, ConcurrencyScaling):
            self._autoscaler = Autoscaler(spec.scaling)
            self._clock.meanwhile(self._autoscaler.interval, _LOOK, self._scale)

    def cancel(self, request: Request) -> bool:
        """Forget a request that waits; False where it does not."""
        if not self._station_of(request.replica).cancel(request):
            return False
        request.left = self._clock.tick
        return True

    def accounts(self, end: int) -> Accounts:
        """What the cloud says of itself, where the run ends at this tick."""
        shifts = self.replicas.shifts(end)
        there = sorted(set(shifts["replica"].tolist())) if self._spec.brownouts else []
        slow = [(replica, *span) for replica in there for span in self._brownouts.spans(replica, end)]
        return draw_up(self._spec, self._busy, shifts, self._detours, slow)

    def _load(self) -> float:
        """Requests present at each replica that is up; as many as all of them, where none is."""
        return sum(station.present() for station in self._stations) / max(len(self.replicas.up), 1)

    def _station(self, number: int) -> Station:
        spec, admission, batching = self._spec, self._spec.admission, self._spec.batching
        patience = round(admission.deadline_ms * MILLISECOND) if isinstance(admission, ShedByDeadline) else None
        limit = math.inf if spec.queue_limit is None else spec.queue_limit
        rules = Rules(self._clock, self._work, limit, patience, self._served_callback(), self._refuse, self._busy)
        line = line_of(spec.discipline, self._seed, self._history)
        if isinstance(batching, ContinuousBatching):
            return ContinuousStation(rules, line, batching.slots, batching.token_budget)
        return StaticStation(rules, line, number, batching.max_size, round(batching.max_wait_ms * MILLISECOND))

    # The way in, and the ways out

    def _door(self) -> Callable[[Request], None]:
        """What a request passes before it joins a queue; nothing where nothing is asked for."""
        door, spec = self._enter, self._spec
        if isinstance(spec.admission, TokenBucketSpec):
            bucket, inside = TokenBucket(spec.admission), door

            def guarded(request: Request) -> None:
                if bucket.admits(request.arrived):
                    inside(request)
                else:
                    self._refuse(request)

            door = guarded
        if isinstance(spec.answer_cache, DeviceAnswerCache):
            kept, behind = self._answers, door

            def remembered(request: Request) -> None:
                cut = kept.cut(request.device, request.arrived)
                if cut is None:
                    behind(request)
                else:
                    request.cut = cut
                    request.left = request.arrived
                    self._reply(request)

            door = remembered
        return door

    def _served_callback(self) -> Callable[[Request], None]:
        cache = self._spec.answer_cache
        if not isinstance(cache, DeviceAnswerCache):
            return self._reply
        if not hasattr(self, "_answers"):
            self._answers = AnswerCache(ticks(cache.lifetime_s))

        def kept(request: Request) -> None:
            self._answers.keep(request, self._clock.tick)
            self._reply(request)

        return kept

    def _refuse(self, request: Request) -> None:
        request.left = self._clock.tick
        request.cut = NOTHING
        self._reply(request)

    def _route(self, request: Request) -> None:
        self._stations[self._choose(request)].arrive(request)

    def _choose(self, request: Request) -> int:
        """The replica whose queue a request joins: one that is up, unless none is."""
        assert self._router is not None
        request.replica = self._router(request, self.replicas.up or self.replicas.wanted())
        return request.replica

    def _present(self, replica: int) -> int:
        return self._stations[replica].present()

    def _station_of(self, replica: int) -> Station:
        return self._stations[replica] if self._own_queues else self._stations[0]

    # What befalls replicas

    def _watch(self, spells: Spells, replica: int, happen: Callable[[int], None]) -> None:
        """Let `happen` be called whenever a bad time of a replica begins or ends."""
        time = spells.next_change(replica, self._clock.tick)
        if time is None:
            return

        def change(_: None) -> None:
            if self._goes_on():
                happen(replica)
                self._watch(spells, replica, happen)

        self._clock.meanwhile(time, CAPACITY + replica, change)

    def _goes_on(self) -> bool:
        """Whether anything can still happen: else nobody needs to know how replicas fare."""
        return not self._clock.over or any(station.line for station in self._stations)

    def _crash_or_restart(self, replica: int) -> None:
        state = self.replicas.state.get(replica)
        if self._is_down(replica):
            if state is not None and state != DOWN:
                self._crash(replica, state)
        elif state == DOWN:
            self._come_up(replica)

    def _is_down(self, replica: int) -> bool:
        return any(True for _ in self._crashes.upon(replica, self._clock.tick))

    def _slow_down(self, replica: int) -> None:
        """Set how slow a replica is now."""
        upon = [spell.slowdown for spell in self._brownouts.upon(replica, self._clock.tick)]  # type: ignore[union-attr]
        self._work.slow.pop(replica, None)
        if upon:
            self._work.slow[replica] = max(upon)
        self._station_of(replica).change_speed(replica)

    def _come_up(self, replica: int) -> None:
        """A replica takes work from now on, unless it is down."""
        if self._is_down(replica):
            self.replicas.enter(replica, DOWN)
        else:
            self.replicas.enter(replica, UP)
            self._station_of(replica).open(replica)

    def _crash(self, replica: int, state: int) -> None:
        lost: list[Request] = []
        station = self._station_of(replica)
        if state != LOADING:
            lost += station.crash(replica)
        if self._own_queues:
            lost += self._evicted(station)
        if state == DRAINING:
            self.replicas.leave(replica)
        else:
            self.replicas.enter(replica, DOWN)
        if self._spec.crashed_requests == "requeue":
            self._place_again(lost, replica)
        else:
            for request in lost:
                self._set_back(request, replica)
                self._refuse(request)

    def _evicted(self, station: Station) -> list[Request]:
        """All who wait at a station, which is left empty."""
        return sorted((station.line.popleft() for _ in range(len(station.line))), key=lambda request: request.arrived)

    def _set_back(self, request: Request, replica: int) -> None:
        """A stay of a request at a replica was for nothing."""
        self._detours.append((request.number, replica, request.started, self._clock.tick, request.batch_size))
        request.started, request.replica, request.batch_size = NEVER, -1, 0

    def _place_again(self, requests: Sequence[Request], replica: int) -> None:
        """Let requests that were at a replica wait again, at the place that their arrival gives them."""
        by_station: dict[int, list[Request]] = {}
        for request in requests:
            self._set_back(request, replica)
            by_station.setdefault(self._choose(request) if self._own_queues else 0, []).append(request)
        for number, members in by_station.items():
            self._stations[number].restore(members)

    # Scaling

    def _scale(self, _: None) -> None:
        if not self._goes_on():
            return
        now, replicas = self._clock.tick, self.replicas
        there = replicas.wanted()
        present = sum(station.present() for station in self._stations)
        number = self._autoscaler.wanted(now, present, len(there))
        absent = [replica for replica in range(self._spec.most_replicas) if replica not in replicas.state]
        for replica in absent[: max(number - len(there), 0)]:
            replicas.enter(replica, LOADING)
            self._clock.meanwhile(
                now + self._autoscaler.loading, CAPACITY + replica, self._loaded, (replica, replicas.entries[replica])
            )
        for replica in there[number:][::-1]:
            self._retire(replica)
        self._clock.meanwhile(now + self._autoscaler.interval, _LOOK, self._scale)

    def _loaded(self, what: tuple[int, int]) -> None:
        replica, entry = what
        if self.replicas.entries[replica] == entry:  # neither crashed nor gone since
            self._come_up(replica)

    def _retire(self, replica: int) -> None:
        """A replica is no longer wanted."""
        station = self._station_of(replica)
        waiting = self._evicted(station) if self._own_queues else []  # at one that is down, where none is up
        if self.replicas.state[replica] == UP:
            self.replicas.enter(replica, DRAINING)
            station.close(replica, self.replicas.leave)
        else:
            self.replicas.leave(replica)
        self._place_again(waiting, replica)
