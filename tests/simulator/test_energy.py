"""What radios and models draw, against closed forms and against a radio that is followed moment by moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from worlds import outcomes, policy, world

from scenarios.schema.access import Access, Radio
from scenarios.schema.network import Network
from simulator.clock import NEVER, SECOND
from simulator.energy import radio_joules
from simulator.hardware import compute
from simulator.outcomes import IntArray
from simulator.rehearse import rehearse
from simulator.run import run


def log(rows: list[tuple[int, float, float | None, int, int]]) -> dict[str, IntArray]:
    """(device, sent and reached in seconds, bytes up and down) as columns."""
    device, sent, reached, up, down = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return {
        "device": np.array(device, np.int64),
        "sent": np.array([round(s * SECOND) for s in sent], np.int64),
        "reached": np.array([NEVER if r is None else round(r * SECOND) for r in reached], np.int64),
        "uplink": np.array(up, np.int64),
        "downlink": np.array(down, np.int64),
    }


def joules(rows: list[tuple[int, float, float | None, int, int]], devices: int = 1, **keys: Any) -> list[float]:
    return radio_joules([(0, devices, log(rows))], [Network(**keys)], np.zeros(devices, np.int64)).tolist()


PROMOTION, TAIL = 0.260 * 1.210, 11.6 * 1.060


def test_a_request_by_itself_is_nearly_all_tail() -> None:
    """0.3 J of promotion, 12.3 J of tail, and hundredths of a joule for a few kilobytes: about 12.6 J."""
    (alone,) = joules([(0, 100, 100, 0, 0)])
    assert alone == pytest.approx(PROMOTION + TAIL)
    assert alone == pytest.approx(12.6, abs=0.02)
    (heavy,) = joules([(0, 100, 100.2, 4000, 4000)])
    sending, hearing = 4000 * 8e-6 / 6, 4000 * 8e-6 / 13
    transfer = sending * (1.288 + 0.438 * 6) + hearing * (1.288 + 0.052 * 13)
    between = (0.2 - sending - hearing) * 1.060
    assert heavy == pytest.approx(PROMOTION + transfer + between + TAIL)


def test_tails_overlap_so_spacing_matters() -> None:
    close, apart = ([(0, i * gap, i * gap, 0, 0) for i in range(10)] for gap in (2.0, 60.0))
    assert joules(close) == pytest.approx([PROMOTION + 9 * 2 * 1.060 + TAIL])
    assert joules(apart) == pytest.approx([10 * (PROMOTION + TAIL)])


def test_each_device_has_a_radio_of_its_own_class_and_those_that_are_silent_draw_nothing() -> None:
    kinds = [Access.model_validate({"radio": {"kind": kind}}) for kind in ("wifi", "none", "lte")]
    rows = [(0, 5.0, 5.0, 0, 0), (1, 5.0, 5.0, 0, 0), (2, 5.0, 5.0, 0, 0)]
    found = radio_joules([(0, 4, log(rows))], kinds, np.array([0, 1, 2, 2]))
    assert found.tolist() == pytest.approx([0.079 * 0.124 + 0.24 * 0.119, 0, PROMOTION + TAIL, 0])
    assert radio_joules([(0, 2, log([]))], kinds, np.array([0, 1])).tolist() == [0, 0]
    assert radio_joules([(0, 3, log(rows))], kinds[1:2], np.zeros(3, np.int64)).tolist() == [0, 0, 0]


def followed(rows: list[tuple[int, float, float | None, int, int]], radio: Radio, rate: float, tick: float) -> float:
    """A radio's energy in joules, by walking through time in steps of `tick` seconds."""
    transfers = []
    total = 0.0
    for _, sent, reached, up, down in rows:
        transfers.append((sent, sent + up * 8e-6 / rate))
        total += up * 8e-6 * radio.uplink_mw_per_mbps
        if reached is not None:
            transfers.append((reached - down * 8e-6 / rate, reached))
            total += down * 8e-6 * radio.downlink_mw_per_mbps
    asleep_from = -np.inf
    ends = max(end for _, end in transfers) + radio.tail_s
    for now in np.arange(min(begin for begin, _ in transfers), ends + tick, tick):
        active = any(begin <= now < end for begin, end in transfers)
        begun = [begin for begin, _ in transfers if now - tick < begin <= now]
        if begun and now > asleep_from + tick:
            total += radio.promotion_mw * radio.promotion_ms / 1000
        past = [end for begin, end in transfers if begin <= now]
        asleep_from = max(past) + radio.tail_s
        if active:
            total += radio.base_mw * tick
        elif now < asleep_from:
            total += radio.tail_mw * tick
    return total / 1000


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.none() | st.integers(0, 30), st.integers(0, 9), st.integers(0, 9)),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=50, deadline=None)
def test_energy_is_that_of_a_radio_followed_through_time(drawn: list[tuple[int, int | None, int, int]]) -> None:
    """Times in tenths of a second, transfers of tenths of a second; the grid is finer by a factor of ten."""
    rows = []
    for sent, wait, up, down in drawn:
        reached = None if wait is None else (sent + up + wait + down) / 10
        rows.append((0, sent / 10, reached, up * 12_500, down * 12_500))
    spec = Network(uplink_mbps=1, downlink_mbps=1)
    assert isinstance(spec.radio, Radio)
    (found,) = joules(rows, uplink_mbps=1, downlink_mbps=1)
    offset = [(d, s + 0.005, None if r is None else r + 0.005, u, w) for d, s, r, u, w in rows]
    assert found == pytest.approx(followed(offset, spec.radio, 1.0, 0.01), rel=0.01)


def test_a_run_puts_joules_into_the_device_table() -> None:
    hardware = [
        {"share": 0.5, "srm_ms": 10, "srm_sigma": 0, "watts": 2},
        {"share": 0.5, "srm_ms": 3, "srm_sigma": 0, "watts": 1},
    ]
    w = world([40], pace={"kind": "drawn", "think_time_s": 3}, fleet={"devices": 200, "hardware": hardware})
    p = policy("periodic", every=4)
    r = run(w, p, 1, rehearse(w, [p], 1, outcomes(w)))
    assert set(np.round(r.devices["compute_j"], 9)) == {0.8, 0.12}
    sent = r.requests.groupby("device").size()
    assert (r.devices["radio_j"] > PROMOTION + TAIL).all()
    assert (r.devices["radio_j"] <= sent * (PROMOTION + TAIL + 5)).all()
    alone = policy("never")
    quiet = run(w, alone, 1, rehearse(w, [alone], 1, outcomes(w)))
    assert (quiet.devices["radio_j"] == 0).all()
    assert quiet.devices["compute_j"].equals(r.devices["compute_j"])
    learning = {"kind": "bias", "every": 10, "steps": 5, "window": 20}  # 100 items of 50 microseconds, 4 times
    w = world([40], fleet={"devices": 200, "hardware": hardware, "adaptation": learning})
    taught = run(w, alone, 1, rehearse(w, [alone], 1, outcomes(w)))
    assert set(np.round(taught.devices["compute_j"], 9)) == {0.84, 0.14}


def test_device_speeds_are_lognormal_within_their_classes() -> None:
    hardware = [{"share": 0.25, "srm_ms": 4, "srm_sigma": 0.6}, {"share": 0.75, "srm_ms": 4000, "srm_sigma": 0.6}]
    made = compute(world([1], fleet={"devices": 20_000, "hardware": hardware}), 1)
    assert made is not None
    fast = made.ticks < 0.2 * SECOND
    assert stats.binomtest(int(fast.sum()), 20_000, 0.25).pvalue > 0.001
    assert stats.kstest(np.log(made.ticks[fast] / SECOND), stats.norm(np.log(0.004), 0.6).cdf).pvalue > 0.001
