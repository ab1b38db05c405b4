"""What the radio draws: promotion, transfer and tail, from the times at which each device sent and received.

A radio that was idle is promoted; it is active while it sends or receives; after that it stays awake for the tail,
unless the next transfer begins before the tail is over, and falls idle. So the energy of a request depends on when the
others were made far more than on its bytes (Huang et al., MobiSys 2012). All transmissions of a message count, at the
time of its first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from scenarios.schema.access import Access, Radio
from simulator.clock import NEVER, SECOND
from simulator.outcomes import FloatArray, IntArray

JOULES_PER_MW_S = 1e-3
MEGABITS_PER_BYTE = 8e-6


Transfers = Mapping[str, IntArray]
"""device, sent, reached, uplink, downlink: [transfers]."""


def radio_joules(parts: Iterable[tuple[int, int, Transfers]], kinds: Sequence[Access], classes: IntArray) -> FloatArray:
    """[devices] joules of each device's radio.

    parts: (first, until, all transfers of devices first .. until - 1). classes: [devices] the access class of each, a
    place in `kinds`.
    """
    total = np.zeros(len(classes))
    if any(isinstance(kind.radio, Radio) for kind in kinds):
        for first, until, transfers in parts:
            total[first:until] = _joules(first, transfers, kinds, classes[first:until])
    return total


def _joules(first: int, log: Transfers, kinds: Sequence[Access], classes: IntArray) -> FloatArray:
    """[devices] of a stretch that begins with device `first`."""
    radios = [kind.radio if isinstance(kind.radio, Radio) else None for kind in kinds]

    def of_class(key: str) -> FloatArray:
        return np.array([0.0 if radio is None else getattr(radio, key) for radio in radios])

    device, n = log["device"] - first, len(classes)
    kind = classes[device]
    heard = log["reached"] != NEVER
    uplink, downlink = log["uplink"] * MEGABITS_PER_BYTE, log["downlink"] * heard * MEGABITS_PER_BYTE
    by_bits = uplink * of_class("uplink_mw_per_mbps")[kind] + downlink * of_class("downlink_mw_per_mbps")[kind]
    total = np.bincount(device, weights=by_bits, minlength=n)

    sending = np.rint(uplink / _rates(kinds, "uplink_mbps")[kind] * SECOND).astype(np.int64)
    hearing = np.rint(downlink / _rates(kinds, "downlink_mbps")[kind] * SECOND).astype(np.int64)[heard]
    owner = np.concatenate([device, device[heard]])
    begin = np.concatenate([log["sent"], log["reached"][heard] - hearing])
    end = np.concatenate([log["sent"] + sending, log["reached"][heard]])
    order = np.lexsort((begin, owner))
    owner, begin, end = owner[order], begin[order], end[order]
    awake = pd.Series(end).groupby(owner).cummax().to_numpy()  # until when transfers have lasted so far
    same = np.append(owner[1:] == owner[:-1], False)
    kind = classes[owner]
    tail = np.rint(of_class("tail_s") * SECOND).astype(np.int64)[kind]
    pause = np.where(same, np.append(begin[1:], 0) - awake, tail + 1)  # until the next transfer
    promoted = np.append(True, pause[:-1] > tail[:-1]) if len(owner) else np.zeros(0, np.bool_)
    before = np.where(np.append(False, same[:-1]), np.append(0, awake[:-1]), begin) if len(owner) else begin
    active = np.maximum(end - np.maximum(begin, before), 0)
    power = (
        active * of_class("base_mw")[kind]
        + np.clip(pause, 0, tail) * of_class("tail_mw")[kind]
        + promoted * (of_class("promotion_mw") * of_class("promotion_ms") * (SECOND / 1000))[kind]
    ) / SECOND
    total += np.bincount(owner, weights=power, minlength=n)
    return np.asarray(total * JOULES_PER_MW_S)


def _rates(kinds: Sequence[Access], key: str) -> FloatArray:
    """[classes] megabits a second; infinite without a limit."""
    return np.array([getattr(kind, key) or np.inf for kind in kinds])
