"""Nobody is left behind in the queue of a replica that is taken away while it is down."""

from __future__ import annotations

from worlds import outcomes, policy, world

from simulator.rehearse import rehearse
from simulator.run import run


def test_who_waits_at_a_replica_that_is_down_moves_on_when_it_is_retired() -> None:
    """Both replicas are down when requests come, by turns to either; then one is enough, and only one comes back."""
    w = world(
        [1],
        pace={"kind": "drawn", "start_spread_s": 2},
        fleet={"devices": 20, "timeout_s": 100},
        cloud={
            "replicas": 2,
            "routing": "round-robin",
            "crashes": [{"kind": "scheduled", "from_s": 0.001, "until_s": 5}],
            "scaling": {"kind": "concurrency", "target": 100, "min_replicas": 1, "max_replicas": 2, "interval_s": 3},
        },
    )
    p = policy("always")
    requests = run(w, p, 1, rehearse(w, [p], 1, outcomes(w))).requests
    assert (requests["status"] == "answered").all()
    assert requests["started_s"].min() >= 5
    assert (requests["replica"] == 0).all()
