"""The bench as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def table(found: Mapping[str, Any]) -> str:
    """What was measured, ratios first."""
    share, timed = found["requests_per_interaction"], found["live_devices_timed"]
    rows = [
        ("fast, outcomes stored, over live", "ratio_warm", "x"),
        ("fast, outcomes to be made, over live", "ratio_cold", "x"),
        ("device's model, best batch over one by one", "ratio_srm", "x"),
        ("cloud's lists, batched over one by one", "ratio_llm", "x"),
        ("fast warm over bare SimPy, same events, time", "warm_over_simpy", "x"),
        ("  of that the engine without books and tables", "engine_over_simpy", "x"),
        ("time an interaction, largest fleet over 10,000", "growth_over_linear", "x"),
        (f"sweep of {found['sweeps'][-1]['points']} points over one, cold, time", "sweep_over_one_point", "x"),
        (f"live (timed on {timed} devices, scaled)", "live_interactions_per_s", "interactions/s"),
        ("fast, cold", "fast_cold_interactions_per_s", "interactions/s"),
        ("fast, warm", "fast_warm_interactions_per_s", "interactions/s"),
        (f"bare SimPy, {found['devices']:,} processes", "simpy_timeouts_per_s", "time-outs/s"),
        (f"device's model, batches of {found['srm_best_batch']}", "srm_positions_per_s", "positions/s"),
        ("device's model, one by one", "srm_positions_per_s_one_by_one", "positions/s"),
        ("cloud's model, batched", "llm_lists_per_s", "lists/s"),
        ("cloud's model, one by one", "llm_lists_per_s_one_by_one", "lists/s"),
        ("M/M/2 through recfleet, with its books", "queue_recfleet_customers_per_s", "customers/s"),
        ("M/M/2 through a script of SimPy", "queue_simpy_customers_per_s", "customers/s"),
        ("M/M/2 through Ciw", "queue_ciw_customers_per_s", "customers/s"),
        ("memory a device, with its requests", "bytes_per_device", "bytes"),
        ("store an outcome", "bytes_per_outcome", "bytes"),
        ("peak memory, largest fleet", "peak_rss_mb", "MB"),
    ]
    width = max(len(label) for label, _, _ in rows)
    head = (
        f"{found['scenario']}: {found['devices']:,} devices, {found['interactions']:,} interactions, "
        f"{share:.1%} ask; {found['cores']} cores; medians of {found['repetitions']}"
    )
    lines = [
        head,
        "",
        *(f"{label:<{width}}  {_number(found[key]):>12} {unit}" for label, key, unit in rows),
        "",
        f"{'devices':>10} {'interactions':>13} {'requests':>11} {'seconds':>9} {'interactions/s':>15} {'peak MB':>8}",
        *(
            f"{fleet['devices']:>10,} {fleet['interactions']:>13,} {fleet['requests']:>11,} {fleet['seconds']:>9.2f} "
            f"{fleet['interactions_per_s']:>15,.0f} {fleet['peak_rss_mb']:>8,.0f}"
            for fleet in found["fleets"]
        ),
        "",
        f"{'points':>10} {'seconds':>9} {'of one':>8}",
        *(f"{sweep['points']:>10} {sweep['seconds']:>9.2f} {sweep['times_one']:>7.2f}x" for sweep in found["sweeps"]),
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return "not there"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
