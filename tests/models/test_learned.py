"""Learned signals: trained on other users and on earlier time, and the same in batches as on a device by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from models import learned, pairs, srms
from models.blocks import Blocks
from models.catalogue import part_of
from models.learned import FOLDS, gain, intellectreq
from models.live import Live
from models.llms import causal
from models.outcomes import OutcomeStore
from models.pairs import Pairs
from models.prepare import prepare
from models.recommenders import Recommenders
from models.signals import NAMES, signal
from scenarios.behaviour import Behaviour
from scenarios.errors import UserError
from scenarios.population import Population
from scenarios.schema.fleet import Fusion, NoCatalogue, WholeCatalogue
from scenarios.schema.recommenders import CausalLlm, Srm
from scenarios.schema.recommenders import Recommenders as Spec
from scenarios.schema.training import Training

LENGTH = 12


@pytest.fixture
def population(make_population: Callable[..., Population]) -> Population:
    return make_population(users=20)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little training: what is learned does not matter."""
    for file in (gain, intellectreq):
        monkeypatch.setattr(file, "UPDATES", 6)
        monkeypatch.setattr(file, "BATCH", 32)


class World:
    """Untrained models of marked opinions over a small population."""

    def __init__(self, population: Population, dtype: torch.dtype = torch.float64, kind: str = "sasrec") -> None:
        torch.manual_seed(4)
        n_items = population.behaviour.n_items
        self.population = population
        self.srm = srms.build(n_items, Srm.model_validate({"kind": kind, "width": 8, "layers": 1, "window": 6}))
        self.llm = causal.build(n_items, CausalLlm(width=8, layers=1, heads=2, window=8))
        torch.nn.init.normal_(self.llm.network.model.embed_tokens.weight)
        self.srm.to(dtype).eval()
        self.llm.to(dtype).eval()
        self.part = part_of(WholeCatalogue(), population)

    def blocks(self, first: np.ndarray, steps: np.ndarray, names: dict[str, learned.Learned] | None = None) -> Blocks:
        functions = {name: signal(name) for name in NAMES} if names is None else names
        behaviour = self.population.behaviour
        return Blocks(behaviour, first, steps, self.srm, self.llm, Fusion(), self.part, LENGTH, functions)

    def material(self) -> tuple[Pairs, Blocks]:
        blocks = self.blocks(*pairs.span(self.population))
        return pairs.pairs(self.population, blocks), blocks


def test_a_pair_is_what_a_device_would_have_seen_with_either_list(population: Population) -> None:
    world = World(population)
    found, _ = world.material()
    moved = Population(population.behaviour, population.history_end, found.origin)
    live = Live(moved, world.srm, world.llm, Fusion(), world.part, LENGTH, {"drift": signal("drift")})
    assert (found.steps + found.origin[found.users] >= population.history_end[found.users]).all()
    for row in range(0, len(found.users), max(1, len(found.users) // 12)):
        user, cut, step = int(found.users[row]), int(found.cuts[row]), int(found.steps[row])
        end = int(min(step + pairs.HORIZON, population.replay_from[user] - found.origin[user], cut + pairs.OLDEST + 1))
        assert found.weights[row] == end - step
        for made_at, expected in ((cut, found.kept[row]), (step, found.fresh[row])):
            device, worth = live.device(user), []
            for at in range(end):
                device.look(at)
                if at == made_at:
                    device.hold(made_at)
                if at == step and made_at == cut:
                    assert device.signals()["drift"] == pytest.approx(found.signals["drift"][row], abs=1e-9)
                    assert (1 <= device.rank() <= 10) == found.hit[row]
                if at >= step:
                    rank = device.rank()
                    worth.append(1 / np.log2(1 + rank) if 1 <= rank <= 10 else 0)
            assert np.mean(worth) == pytest.approx(expected, abs=1e-9)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", learned.NAMES)
def test_what_is_learned_for_a_fold_knows_nothing_of_its_users_nor_of_the_replay(
    name: str, population: Population
) -> None:
    found, blocks = World(population).material()
    before = learned.fit(name, found, blocks)
    own = found.users % learned.FOLDS == 0
    blurred = replace(
        found,
        kept=np.where(own, 0.5, found.kept),
        hit=np.where(own, ~found.hit, found.hit),
        signals={each: np.where(own, 0, values) for each, values in found.signals.items()},
    )
    after = learned.fit(name, blurred, blocks)
    for part, values in before.items():
        assert values[0].tolist() == after[part][0].tolist()
    again = learned.fit(name, *World(without_replay(population)).material())
    for part, values in before.items():
        np.testing.assert_array_equal(values, again[part])


def without_replay(population: Population) -> Population:
    """The same, but what is replayed is another item, always the same."""
    data = population.behaviour
    items = data.items.copy()
    for user, begin in enumerate(data.offsets[:-1]):
        items[begin + population.replay_from[user] : data.offsets[user + 1]] = 0
    changed = Behaviour(**{**data.__dict__, "items": items})
    return replace(population, behaviour=changed)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", learned.NAMES)
def test_a_device_by_itself_computes_what_the_store_says(
    name: str, population: Population, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = World(population)
    functions = {name: learned.opened(name, learned.fit(name, *world.material()))}
    steps = population.steps
    store = OutcomeStore(
        steps,
        LENGTH,
        [name],
        "float64",
        tmp_path_factory.mktemp("outcomes"),
        lambda: world.blocks(population.replay_from, steps, functions),
        print,
    )
    live = Live(population, world.srm, world.llm, Fusion(), world.part, LENGTH, functions)
    for user in population.replayed[:6].tolist():
        device, seen = live.device(user), []
        for step in range(int(steps[user])):
            device.look(step)
            if step == 0:
                device.hold(0)
            seen.append(device.signals()[name])
        np.testing.assert_allclose(store.signal(name, user, 0, 0, int(steps[user])), seen, atol=1e-9)


def test_the_gain_is_learned_where_there_is_one_and_costs_few_bytes() -> None:
    draws = np.random.default_rng(0)
    count = 6000
    signals = {name: draws.random(count) for name in gain.INPUTS["gain"]}
    zeros = np.zeros(count, np.int64)
    true = 0.3 * signals["age"] * (1 - signals["entropy"])
    noise = draws.normal(0, 0.2, count)
    made = Pairs(
        np.arange(count), zeros, zeros, 0 * noise, true + noise, noise > 0, np.ones(count), signals, zeros
    )  # fmt: skip
    arrays = gain.fit("gain", made, None, 0)
    seen = np.column_stack([signals[name] for name in gain.INPUTS["gain"]])
    inner = np.maximum((seen - arrays["mean"]) / arrays["scale"] @ arrays["hidden"] + arrays["hidden_bias"], 0)
    assert np.corrcoef(inner @ arrays["out"] + arrays["out_bias"], true)[0, 1] > 0.9
    assert learned.size({name: np.stack([values] * 3) for name, values in arrays.items()}) < 4096


def test_the_uncertainty_is_the_variance_between_draws() -> None:
    torch.manual_seed(0)
    network, now = intellectreq.Network(8).double(), torch.randn(30, 8, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(network.uncertainty(now), network.guesses(now).var(0).sum(-1))


@torch.no_grad()
def test_the_detector_reads_how_the_state_has_changed_and_the_uncertainty() -> None:
    """The released code's: tanh of a layer over both states, then a layer over that and the uncertainty."""
    torch.manual_seed(0)
    network = intellectreq.Network(8).double()
    now, then = torch.randn(2, 30, 8, dtype=torch.float64)
    of_then, of_now = (network.compare.weight[0] * torch.cat([network.tower(then), network.tower(now)], -1)).split(
        8, -1
    )
    change = (of_then.sum(-1) + of_now.sum(-1) + network.compare.bias).tanh()
    (by_change, by_uncertainty), bias = network.judge.weight[0], network.judge.bias
    assert by_uncertainty != 0
    expected = by_change * change + by_uncertainty * network.guesses(now).var(0).sum(-1) + bias
    torch.testing.assert_close(network(now, then), expected)


@pytest.mark.usefixtures("quick")
def test_what_was_wrong_teaches_the_detector_alone(population: Population) -> None:
    """The mapper learned before, from what was taken; then it stays, as in the released code."""
    found, blocks = World(population).material()
    one, other = (intellectreq.fit("misjudgement", each, blocks, 0) for each in (found, replace(found, hit=~found.hit)))
    changed = {name.split(".")[0] for name, values in one.items() if not np.array_equal(values, other[name])}
    assert changed == {"compare", "judge"}


def test_where_users_change_their_minds_the_gate_beats_asking_at_random() -> None:
    """Lists go wrong where the interest they were made for has gone; asked are those judged worst, at 10 to 30%."""
    draws, count = np.random.default_rng(0), 4000
    changed = draws.random(count) < 0.3
    then = torch.from_numpy(draws.normal(0, 0.5, (count, 8))).float()
    now = torch.from_numpy(draws.normal(0, 0.5, (count, 8))).float()
    then[:, 0] -= 1
    now[:, 0] += torch.from_numpy(np.where(changed, 1.0, -1.0)).float()
    hit = draws.random(count) < np.where(changed, 0.05, 0.5)
    known, others = np.arange(0, count, 2), np.arange(1, count, 2)
    zeros = np.zeros_like(known)
    pairs = Pairs(known, zeros + 1, zeros, 0.0 * zeros, 0.0 * zeros, hit[known], zeros + 1.0, {}, zeros)
    blocks = SimpleNamespace(
        states=lambda users, at: (now if at[0] else then)[users], taken=lambda users, at: now[users]
    )
    arrays = intellectreq.fit("misjudgement", pairs, blocks, 0)
    gate = intellectreq.Model("misjudgement", {name: np.stack([each] * FOLDS) for name, each in arrays.items()})
    held = SimpleNamespace(
        llm=now, age=others, user=torch.from_numpy(others), state=now[others], state_then=then[others]
    )
    worst = others[np.argsort(-gate(held).numpy())]
    for share in (0.1, 0.2, 0.3):
        assert hit[worst[: round(share * len(worst))]].mean() < 0.8 * hit[others].mean()


SHORT = Training(epochs=1, batch_size=8, learning_rate=0.01)
SPEC = Spec(
    srm=Srm(width=8, layers=1, window=6, training=SHORT),
    llm=CausalLlm(width=8, layers=1, heads=2, window=8, training=SHORT),
    list_length=LENGTH,
)


@pytest.mark.usefixtures("quick")
def test_a_scenario_learns_once_keeps_it_and_knows_its_oracle(population: Population, cache: Path) -> None:
    said: list[str] = []

    def made() -> Recommenders:
        names = ["footrule", "gain", "misjudgement", "oracle 0.1"]
        return prepare(population, SPEC, WholeCatalogue(), Fusion(), names, said.append, False)

    first = made()
    size = first.bytes_of("gain")
    assert 0 < size < 4096
    assert first.bytes_of("footrule") == first.bytes_of("oracle 0.1") == 0
    assert [line for line in said if line.startswith("learning")] == [
        "learning from the validation part: gain, misjudgement"
    ]
    said.clear()
    assert made().bytes_of("gain") == size
    assert not said
    (path,) = (cache / "learned").rglob("gain.npz")
    path.write_bytes(path.read_bytes()[:100])
    recommenders = made()
    assert recommenders.bytes_of("gain") == size
    assert "damaged" in said[0]
    outcomes, live = recommenders.outcomes, recommenders.live()
    user = int(population.replayed[0])
    steps = int(population.steps[user])
    device = live.device(user)
    for step in range(steps):
        device.look(step)
        if step == 0:
            device.hold(0)
        for name, value in device.signals().items():
            assert outcomes.signal(name, user, 0, step, step + 1)[0] == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize("name", ["coverage", "missing_mass", "gain_over_catalogue"])
def test_what_looks_beyond_the_list_needs_a_catalogue(name: str, population: Population) -> None:
    with pytest.raises(UserError, match=f"fleet.catalogue: none, but the signal {name}"):
        prepare(population, SPEC, NoCatalogue(), Fusion(), [name], print, False)


def test_a_signal_that_there_is_not_is_named(population: Population) -> None:
    with pytest.raises(UserError, match=r"there is no signal gian; expected one of age, .*, gain, "):
        prepare(population, SPEC, WholeCatalogue(), Fusion(), ["gian"], print, False)
