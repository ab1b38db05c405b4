"""The batch's score is the released code's, from the lists of all 16, and members on one path decide alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.blocks import Blocks
from models.catalogue import part_of
from models.held import HeldSince
from models.live import Live
from models.llms import causal
from models.lsc4rec_code import NAME, SEEN, Batches, displaced, in_batches, score
from models.outcomes import OutcomeStore
from models.prepare import prepare
from models.recommenders import Recommenders
from models.signals import signal
from models.srms import build
from scenarios.population import Population
from scenarios.schema.fleet import Fusion, NoCatalogue
from scenarios.schema.recommenders import CausalLlm, Srm
from scenarios.schema.recommenders import Recommenders as Spec

N_ITEMS, LENGTH = 60, 50

LOGGED = [
    (40.16809, 3, 16.158),
    (37.05599, 2, 15.896),
    (34.72655, 1, 16.237),
    (34.20089, 1, 15.711),
    (32.69000, 0, 16.690),
    (32.35750, 0, 16.358),
    (32.13500, 0, 16.135),
    (31.93500, 0, 15.935),
    (31.71750, 0, 15.718),
]
"""The thresholds that the authors' log has, for 16 lists of 50, and the empty places and displacement in each."""


def test_the_logged_thresholds_are_sums_of_whole_displacements_and_the_penalty() -> None:
    for threshold, pads, mean in LOGGED:
        real = 16 * 50 - pads
        displacement = np.rint(mean * real)
        made = score(displacement, np.float64(real), np.float64(pads))
        assert made == pytest.approx(threshold, abs=6e-6)
        assert displacement / real == pytest.approx(mean, abs=6e-4)


def as_released(lists: list[list[int]], probabilities: list[list[float]]) -> tuple[float, int]:
    """(mean displacement, empty places), list by list with `index`, as the released code goes about it."""
    apart = real = n_pad = 0
    for ids, likely in zip(lists, probabilities, strict=True):
        there = [item for item in ids if item]
        reranked = sorted(there, key=lambda item: -likely[ids.index(item)])
        apart += sum(abs(reranked.index(item) - there.index(item)) for item in there)
        real, n_pad = real + len(there), n_pad + len(ids) - len(there)
    return apart / max(real, 1), n_pad


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 16), st.integers(1, 12))
def test_the_score_of_given_lists(seed: int, users: int, length: int) -> None:
    draws = np.random.default_rng(seed)
    real = draws.integers(0, length + 1, users)
    lists = [[*(1 + draws.permutation(40)[:n]).tolist(), *[0] * (length - n)] for n in real]
    likely = draws.permuted(np.linspace(0, 1, users * length).reshape(users, length), axis=1)
    held = HeldSince(
        llm=torch.arange(length, 0, -1.0).expand(users, length),
        srm=torch.from_numpy(likely),
        left=torch.tensor(lists) > 0,
        user=torch.arange(users),
        age=torch.zeros(users, dtype=torch.int64),
        then=torch.from_numpy(likely),
        taken=torch.full((users, length), -1),
        state=torch.zeros(users, 1),
        state_then=torch.zeros(users, 1),
        lacks=torch.zeros(users, 0, dtype=torch.bool),
        odds=torch.zeros(users, 0),
    )
    footrule, pads, remaining = (signal(name)(held).numpy() for name in SEEN)
    mean, n_pad = as_released(lists, likely.tolist())
    made = score(displaced(footrule, remaining).sum(), np.float64(remaining.sum()), np.float64(pads.sum()))
    assert made == pytest.approx(mean + (4 + 0.3 * n_pad) ** 2)


class World:
    """Untrained models over a small population, with lists beyond the catalogue's end: places are empty."""

    def __init__(self, population: Population) -> None:
        torch.manual_seed(4)
        self.population = population
        self.srm = build(N_ITEMS, Srm(width=8, layers=1, heads=1, window=6)).double().eval()
        self.llm = causal.build(N_ITEMS, CausalLlm(width=8, layers=1, heads=2, window=8)).double().eval()
        self.part = part_of(NoCatalogue(), population)
        self.functions = {name: signal(name) for name in SEEN}

    def layer(self, folder: Path) -> Batches:
        people = self.population
        models = self.srm, self.llm, Fusion(), self.part, LENGTH

        def opened() -> Blocks:
            return Blocks(people.behaviour, people.replay_from, people.steps, *models, self.functions)

        store = OutcomeStore(people.steps, LENGTH, SEEN, "float32", folder, opened, print)
        return Batches(store, people.replayed)

    def live(self) -> Live:
        return Live(self.population, self.srm, self.llm, Fusion(), self.part, LENGTH, self.functions)


def by_hand(live: Live, members: list[int], cut: int, step: int) -> float:
    """From the devices of some members, each with its own list, looked at by itself."""
    apart = real = n_pad = 0.0
    for member in members:
        device = live.device(member)
        device.look(cut)
        device.hold(cut)
        device.look(step)
        told = device.signals()
        apart += told["footrule"] * told["remaining"]
        real, n_pad = real + told["remaining"], n_pad + told["pads"]
    return apart / real + (4 + 0.3 * n_pad) ** 2


def test_the_layer_adds_up_what_the_members_devices_say(
    make_population: Callable[..., Population], tmp_path: Path
) -> None:
    people = make_population(users=19)
    world = World(people)
    layer = world.layer(tmp_path)
    first, *_, last = people.replayed.tolist()
    layer.ensure(np.array([first, last, last]), np.array([1, 0, -1]), np.array([3, 2, 1]))
    scores = set()
    for user, cut in ((first, 1), (int(people.replayed[7]), 4), (last, 0)):
        until = int(people.steps[user])
        mine = layer.signal(NAME, user, cut, cut, until)
        (batch,) = (each for each in in_batches(people.replayed) if user in each)
        for step in sorted({cut, until - 1}):
            members = batch[people.steps[batch] > step].tolist()
            assert mine[step - cut] == pytest.approx(by_hand(world.live(), members, cut, step), rel=1e-9)
        assert layer.signal(NAME, user, cut, until - 1, until)[0] == mine[-1] == layer.at(NAME)(user, cut, until - 1)
        scores |= set(mine.tolist())
    assert len(scores) > 5
    assert max(scores) > 100  # places were empty


def test_members_on_one_path_see_the_same(make_population: Callable[..., Population], tmp_path: Path) -> None:
    people = make_population(users=19)
    layer = World(people).layer(tmp_path)
    assert [len(members) for members in in_batches(people.replayed)] == [16, 3]
    for members in in_batches(people.replayed):
        longest = members[np.argmax(people.steps[members])]
        whole = layer.signal(NAME, int(longest), 2, 2, int(people.steps[longest]))
        for member in members.tolist():
            if people.steps[member] > 3:
                mine = layer.signal(NAME, member, 2, 3, int(people.steps[member]))
                assert mine.tolist() == whole[1 : 1 + len(mine)].tolist()


def test_thresholds_are_read_off_the_validation_part_unless_asked(make_population: Callable[..., Population]) -> None:
    population = make_population(users=7)
    spec = Spec.model_validate(
        {
            "srm": {"width": 8, "layers": 1, "heads": 1, "window": 8, "training": {"epochs": 1}},
            "llm": {"kind": "causal", "width": 8, "layers": 1, "heads": 2, "window": 8, "training": {"epochs": 1}},
            "list_length": 12,
        }
    )

    def made(people: Population) -> Recommenders:
        return prepare(people, spec, NoCatalogue(), Fusion(), (NAME,), print, progress=False)

    recommenders = made(population)
    assert isinstance(recommenders.outcomes, Batches)
    judged = []
    for user in population.replayed.tolist():
        for cut in range(population.steps[user]):
            judged += recommenders.outcomes.signal(NAME, user, cut, cut, population.steps[user]).tolist()
    assert recommenders.reference(NAME, of_replay=True).tolist() == sorted(judged)
    first = np.maximum(population.history_end, 1)
    steps = population.replay_from - first
    live = replace(recommenders.live(), population=replace(population, replay_from=first))
    before: list[float] = []
    for batch in in_batches(population.replayed):
        for step in range(steps[batch].max()):
            members = batch[steps[batch] > step].tolist()
            for cut in range(step + 1):
                before += [by_hand(live, members, cut, step)] * len(members)
    np.testing.assert_allclose(recommenders.reference(NAME), sorted(before), rtol=1e-6)
    assert len(before) > 40
