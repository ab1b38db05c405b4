"""Which regions are without a network when."""

from __future__ import annotations

from scenarios.schema.network import DrawnOutages, Network, ScheduledOutage
from simulator.clock import ticks
from simulator.draws import uniform
from simulator.renewal import OnOff


def region(seed: int, device: int, regions: int) -> int:
    """The region of a device."""
    return int(uniform(seed, "region", device, 0) * regions)


class Outages:
    """All outages of a scenario under one seed."""

    def __init__(self, spec: Network, seed: int) -> None:
        self._seed = seed
        self._regions = spec.regions
        self._scheduled = [
            (outage.region, ticks(outage.from_s), ticks(outage.until_s))
            for outage in spec.outages
            if isinstance(outage, ScheduledOutage)
        ]
        self._drawn = [
            OnOff(outage.between_s, outage.length_s, seed, f"outage {number}")
            for number, outage in enumerate(spec.outages)
            if isinstance(outage, DrawnOutages)
        ]

    def hit(self, device: int, time: int) -> bool:
        """Whether the device's region is without a network at a tick."""
        where = region(self._seed, device, self._regions)
        for place, begin, end in self._scheduled:
            if begin <= time < end and (place is None or place == where):
                return True
        return any(not process.is_on(where, time) for process in self._drawn)
