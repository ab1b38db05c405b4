"""When replicas crash and when they are slow: functions of (seed, replica, time) that nothing in a run can shift."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scenarios.schema.capacity import DrawnBrownouts, DrawnCrashes, ScheduledBrownout, ScheduledCrash
from simulator.clock import ticks
from simulator.renewal import OnOff

Spell = ScheduledCrash | DrawnCrashes | ScheduledBrownout | DrawnBrownouts


class Spells:
    """Bad times of all replicas, of one kind."""

    def __init__(self, specs: Sequence[Spell], seed: int, purpose: str) -> None:
        self._specs = [(spec, _process(spec, seed, f"{purpose} {number}")) for number, spec in enumerate(specs)]

    def upon(self, replica: int, time: int) -> Iterator[Spell]:
        """The bad times that a replica has at a tick."""
        for spec, process in self._specs:
            if process is not None:
                if not process.is_on(replica, time):
                    yield spec
            elif spec.replica in (None, replica) and ticks(spec.from_s) <= time < ticks(spec.until_s):  # type: ignore[union-attr]
                yield spec

    def spans(self, replica: int, end: int) -> list[tuple[int, int]]:
        """(since, until) of all bad times of a replica up to a tick, those that overlap or meet as one."""
        spans: list[tuple[int, int]] = []
        time: int | None = 0
        while time is not None and time < end:
            change = self.next_change(replica, time)
            if any(True for _ in self.upon(replica, time)):
                until = end if change is None else min(change, end)
                meets = bool(spans) and spans[-1][1] == time
                spans.append((spans.pop()[0] if meets else time, until))
            time = change
        return spans

    def next_change(self, replica: int, time: int) -> int | None:
        """When, after a tick, a bad time of a replica next begins or ends."""
        changes = []
        for spec, process in self._specs:
            if process is not None:
                changes.append(process.next_change(replica, time))
            elif spec.replica in (None, replica):  # type: ignore[union-attr]
                changes += [tick for tick in (ticks(spec.from_s), ticks(spec.until_s)) if tick > time]  # type: ignore[union-attr]
        return min(changes, default=None)


def _process(spec: Spell, seed: int, purpose: str) -> OnOff | None:
    if isinstance(spec, (DrawnCrashes, DrawnBrownouts)):
        return OnOff(spec.between_s, spec.length_s, seed, purpose)
    return None
