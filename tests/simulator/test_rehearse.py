"""A rehearsal has outcomes made in few large batches, and those that a run looks at."""

from __future__ import annotations

from hypothesis import assume, given, settings
from worlds import POLICIES, outcomes, policy, world, worlds

from simulator.foresight import Foresight
from simulator.policies.base import Policy
from simulator.rehearse import rehearse
from simulator.run import run
from simulator.world import World


@given(worlds(), POLICIES)
@settings(max_examples=100, deadline=None)
def test_a_run_looks_at_nothing_that_was_not_asked_for_in_a_batch(w: World, p: Policy) -> None:
    made = outcomes(w)
    run(w, p, 1, rehearse(w, [p], 1, made))
    assert not made.missed


@given(worlds(), POLICIES)
@settings(max_examples=30, deadline=None)
def test_many_runs_looked_at_as_one_say_what_each_says_by_itself(w: World, p: Policy) -> None:
    """Of every policy whose word on a step depends on nothing of other steps: all that recall nothing."""
    assume(not p.recalls)
    demand = rehearse(w, [p], 1, outcomes(w))
    one = Foresight(p, 1, demand)
    known = demand.asks(p)
    for stream, length in enumerate(demand.lengths):
        for cut in range(length):
            if known[demand.first[stream] + cut]:
                said = [one.look(stream, cut, cut, step, step + 1) == step for step in range(cut + 1, length)]
                assert known[demand.first[stream] + cut] == cut + 1 + (said.index(True) if any(said) else len(said))


def test_without_latency_the_rehearsal_foresees_all() -> None:
    w = world([40, 60, 50], pace={"kind": "drawn", "think_time_s": 30, "think_time_sigma": 0.1})
    made, p = outcomes(w), policy("footrule", threshold=6)
    demand = rehearse(w, [p], 1, made)
    before = len(made.batches)
    r = run(w, p, 1, demand)
    assert r.ledger.answered > 20
    assert len(made.batches) == before


def test_all_users_and_policies_share_a_round() -> None:
    w = world([40] * 30)
    made = outcomes(w)
    rehearse(w, [policy("footrule", threshold=5), policy("always"), policy("footrule", threshold=7)], 1, made)
    assert len(made.batches) <= 41
    assert len(made.batches[0]) == 30


def test_clones_need_none_of_their_own() -> None:
    w = world([40] * 3, fleet={"devices": 300})
    made = outcomes(w)
    rehearse(w, [policy("footrule", threshold=5), policy("always"), policy("random", probability=0.5)], 1, made)
    assert {user for batch in made.batches for user, _ in batch} == set(w.users.tolist())
    assert sum(map(len, made.batches)) <= 3 * (1 + 3 * 40)


def test_what_depends_on_chance_is_rehearsed_under_every_seed() -> None:
    """Without latency nothing is left for the runs, whatever their seeds."""
    w = world([40] * 5, network={"rtt_ms": 0}, pace={"kind": "drawn", "think_time_s": 30, "think_time_sigma": 0.1})
    policies = [policy("random", probability=0.2), policy("periodic", every=7), policy("never")]
    made = outcomes(w)
    demand = rehearse(w, policies, 1, made, None, [2, 3])
    before = len(made.batches)
    for p in policies:
        for seed in (1, 2, 3):
            run(w, p, seed, demand)
    assert len(made.batches) == before
    assert not made.missed
    assert not made.late


def test_it_tells_how_often_each_policy_asks() -> None:
    """Without latency as often as in a run: what takes longest is run first."""
    w = world([40, 60, 50], network={"rtt_ms": 0}, pace={"kind": "drawn", "think_time_s": 30, "think_time_sigma": 0.1})
    policies = [
        policy("footrule", threshold=6),
        policy("always"),
        policy("random", probability=0.3),
        policy("periodic", every=4),
    ]
    demand = rehearse(w, policies, 1, outcomes(w))
    assert [demand.requests[p] for p in policies] == [len(run(w, p, 1, demand).requests) for p in policies]
