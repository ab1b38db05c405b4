"""Which regions are without a network when."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenarios.schema.network import DrawnOutages, Network, ScheduledOutage
from simulator.clock import ticks
from simulator.draws import uniforms
from simulator.outcomes import IntArray
from simulator.renewal import OnOff


def regions(spec: Network, seed: int, devices: int) -> IntArray:
    """[devices] the region of each."""
    drawn = uniforms(seed, "region", np.arange(devices), np.zeros(devices, np.int64))
    return np.asarray(drawn * spec.regions, np.int64)


class Outages:
    """All outages of a scenario under one seed; regions: [devices]."""

    def __init__(self, spec: Network, seed: int, regions: Sequence[int]) -> None:
        self._regions = regions
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
        where = self._regions[device]
        for place, begin, end in self._scheduled:
            if begin <= time < end and (place is None or place == where):
                return True
        return any(not process.is_on(where, time) for process in self._drawn)
