"""The store says of every (user, cut, step) what the models say one by one, and nothing consumed is ever shown."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch

from models.blocks import Blocks
from models.catalogue import part_of
from models.lists import best
from models.live import Live
from models.llms import causal, t5
from models.llms.causal import Causal
from models.llms.item_codes import digits, numbered
from models.llms.t5 import T5
from models.outcomes import NOTHING, SHORTEST, OutcomeStore, rounded
from models.signals import NAMES, signal
from models.srms import build
from scenarios.behaviour import build as behaviour_of
from scenarios.population import Population
from scenarios.schema.fleet import Catalogue, Fusion, NoCatalogue, PopularCatalogue, WholeCatalogue
from scenarios.schema.recommenders import CausalLlm, Srm, SrmKind, T5Llm

LENGTH = 12
N_ITEMS = 60


@pytest.fixture
def population(make_population: Callable[..., Population]) -> Population:
    """A few users: the oracle takes its time."""
    return make_population(users=7)


def opinionated() -> Causal:
    """An untrained Llama of marked opinions."""
    made = causal.build(N_ITEMS, CausalLlm(width=8, layers=1, heads=2, window=8))
    torch.nn.init.normal_(made.network.model.embed_tokens.weight)
    return made


class World:
    """Untrained models of marked opinions over a small population, and both ways to ask them."""

    def __init__(
        self,
        population: Population,
        kind: str = "sasrec",
        fusion: Fusion | None = None,
        catalogue: Catalogue | None = None,
        dtype: torch.dtype = torch.float64,
        length: int = LENGTH,
        signals: Sequence[str] = ("footrule",),
        llm: Callable[[], Causal | T5] = opinionated,
    ) -> None:
        torch.manual_seed(4)
        n_items = population.behaviour.n_items
        self.population, self.length, self.dtype, self.signals = population, length, dtype, signals
        self.srm = build(n_items, Srm.model_validate({"kind": kind, "width": 8, "layers": 1, "window": 6}))
        self.llm = llm()
        self.srm.to(dtype).eval()
        self.llm.to(dtype).eval()
        self.fusion = fusion or Fusion()
        self.part = part_of(catalogue or NoCatalogue(), population)

    def blocks(self) -> Blocks:
        population = self.population
        return Blocks(
            population.behaviour, population.replay_from, population.steps, self.srm, self.llm, self.fusion, self.part,
            self.length, {name: signal(name) for name in self.signals},
        )  # fmt: skip

    def store(self, folder: Path, open_models: Callable[[], Blocks] | None = None) -> OutcomeStore:
        precision = str(self.dtype).removeprefix("torch.")
        items = min(self.length, self.population.behaviour.n_items)
        opened = open_models or self.blocks
        return OutcomeStore(self.population.steps, items, self.signals, precision, folder, opened, print)

    def live(self) -> Live:
        return Live(
            self.population,
            self.srm,
            self.llm,
            self.fusion,
            self.part,
            self.length,
            {n: signal(n) for n in self.signals},
        )


def triples(population: Population) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every (user, cut, step), cut = NOTHING included."""
    found = [
        (user, cut, step)
        for user in population.replayed
        for cut in range(NOTHING, population.steps[user])
        for step in range(max(cut, 0), population.steps[user])
    ]
    users, cuts, steps = np.array(found).T
    return users, cuts, steps


def by_hand(world: World) -> tuple[list[int], list[float]]:
    """The same, each triple by itself, from the oracle."""
    ranks, signals = [], []
    live = world.live()
    for user in world.population.replayed:
        for cut in range(NOTHING, world.population.steps[user]):
            device = live.device(user)
            if cut != NOTHING:
                device.hold(cut)
            for step in range(max(cut, 0), world.population.steps[user]):
                device.look(step)
                ranks.append(device.rank())
                if cut != NOTHING:
                    signals.append(device.signals()["footrule"])
    return ranks, signals


def assert_same(world: World, folder: Path) -> None:
    users, cuts, steps = triples(world.population)
    store = world.store(folder)
    ranks, signals = by_hand(world)
    assert store.ranks(users, cuts, steps, steps + 1).tolist() == ranks
    held = np.flatnonzero(cuts != NOTHING)
    mine = [store.signal("footrule", *map(int, (users[i], cuts[i], steps[i], steps[i] + 1)))[0] for i in held]
    assert mine == signals
    assert max(ranks) > 1


FUSIONS = [
    Fusion.model_validate({"over": over, "alpha": alpha}) for over in ("scores", "ranks") for alpha in (0, 0.3, 1)
]
RELEASED = [
    Fusion(over="probabilities", alpha=0.4),
    Fusion(over="probabilities", gate=0.2),
    Fusion(over="probabilities", alpha=0.4, raw=True),
]


@pytest.mark.parametrize("fusion", RELEASED, ids=lambda fusion: f"{fusion.gate}-{fusion.raw}")
def test_the_store_is_the_oracle_on_the_released_code_s_scale(
    fusion: Fusion, population: Population, tmp_path: Path
) -> None:
    assert_same(World(population, fusion=fusion), tmp_path)


@pytest.mark.parametrize("fusion", FUSIONS, ids=lambda fusion: f"{fusion.over}-{fusion.alpha}")
@pytest.mark.parametrize("kind", get_args(SrmKind))
def test_the_store_is_the_oracle(kind: str, fusion: Fusion, population: Population, tmp_path: Path) -> None:
    assert_same(World(population, kind, fusion), tmp_path)


@pytest.mark.parametrize("beams", [None, LENGTH])
def test_the_store_is_the_oracle_where_codes_name_the_items(
    beams: int | None, population: Population, tmp_path: Path
) -> None:
    """Every item scored, or so few beams that lists miss some of the best: batches and one by one miss the same."""
    paths = np.random.default_rng(0).integers(20, size=(N_ITEMS, 1))

    def named() -> T5:
        made = t5.build(numbered(paths), T5Llm(width=8, layers=1, heads=2, window=8, beams=beams))
        torch.nn.init.normal_(made.network.shared.weight)
        return made

    world = World(population, llm=named)
    assert_same(world, tmp_path)
    assert isinstance(world.llm, T5)
    history = [population.behaviour.stream(int(user))[:5] for user in population.replayed]
    lists = [ids.tolist() for ids, _ in world.llm.candidates(history, LENGTH)]
    world.llm.beams = None
    assert (lists == [ids.tolist() for ids, _ in world.llm.candidates(history, LENGTH)]) == (beams is None)


def test_the_store_is_the_oracle_where_nothing_holds_the_search_to_items(
    population: Population, tmp_path: Path
) -> None:
    """Lists are shorter than they might be, and the places that came empty are counted."""

    def free() -> T5:
        spec = T5Llm(width=8, layers=1, heads=2, window=8, constrained=False)
        made = t5.build(digits(N_ITEMS), spec)
        torch.nn.init.normal_(made.network.shared.weight)
        return made

    assert_same(World(population, llm=free), tmp_path / "ranks")
    world = World(population, llm=free, signals=("footrule", "pads", "remaining"))
    assert_same_signals(world, tmp_path / "signals")
    user = int(population.replayed[0])
    pads = world.store(tmp_path / "pads").signal("pads", user, 0, 0, int(population.steps[user]))
    assert len(set(pads.tolist())) == 1
    assert 0 < pads[0] < LENGTH


@pytest.mark.parametrize("kind", get_args(SrmKind))
@pytest.mark.parametrize(
    "catalogue", [NoCatalogue(), PopularCatalogue(items=20), WholeCatalogue()], ids=lambda c: c.kind
)
def test_a_device_by_itself_is_the_oracle(
    kind: str, catalogue: Catalogue, population: Population, tmp_path: Path
) -> None:
    world = World(population, kind, catalogue=catalogue)
    store = world.store(tmp_path)
    users = population.replayed
    nothing, zero = np.full_like(users, NOTHING), np.zeros_like(users)
    mine = store.ranks(users, nothing, zero, population.steps[users])
    theirs = []
    for user in users:
        device = world.live().device(user)
        for step in range(population.steps[user]):
            device.look(step)
            theirs.append(device.rank())
    assert mine.tolist() == theirs
    assert len(set(theirs)) > 3


@pytest.mark.parametrize("kind", get_args(SrmKind))
@pytest.mark.parametrize("catalogue", [PopularCatalogue(items=20), WholeCatalogue()], ids=lambda c: c.kind)
def test_every_signal_of_the_store_is_the_device_s_own(
    kind: str, catalogue: Catalogue, population: Population, tmp_path: Path
) -> None:
    assert_same_signals(World(population, kind, catalogue=catalogue, signals=NAMES), tmp_path)


def test_signals_of_items_taken_again_and_of_long_lists(tmp_path: Path) -> None:
    assert_same_signals(World(repeating(), catalogue=WholeCatalogue(), signals=NAMES, length=N_ITEMS + 5), tmp_path)


def assert_same_signals(world: World, folder: Path) -> None:
    """For all signals; that of every user's first, second and sixth list."""
    store, live = world.store(folder), world.live()
    for user in world.population.replayed.tolist():
        steps = int(world.population.steps[user])
        for cut in (cut for cut in (0, 1, 5) if cut < steps):
            device = live.device(user)
            seen = []
            for step in range(steps):
                device.look(step)
                if step == cut:
                    device.hold(cut)
                if step >= cut:
                    seen.append(device.signals())
            for name in world.signals:
                mine = store.signal(name, user, cut, cut, steps)
                np.testing.assert_allclose(mine, [each[name] for each in seen], atol=1e-12, err_msg=name)


def repeating() -> Population:
    """Users who take items again, and one who takes the same item on and on."""
    draws = np.random.default_rng(8)
    streams = [draws.integers(N_ITEMS // 3, size=30), np.full(12, 5), draws.integers(N_ITEMS, size=40)]
    offsets = np.concatenate([[0], np.cumsum([len(stream) for stream in streams])]).astype(np.int64)
    items = np.concatenate(streams).astype(np.int32)
    labels = [str(item) for item in range(N_ITEMS)]
    catalogue = pd.DataFrame({"label": labels, "title": labels, "categories": [""] * N_ITEMS})
    data = behaviour_of("again", offsets, items, np.arange(len(items), dtype=float), catalogue, {})
    return Population(data, data.lengths // 3, data.lengths // 2)


def test_items_that_are_taken_again_are_not_shown_again(tmp_path: Path) -> None:
    world = World(repeating())
    assert_same(world, tmp_path)
    users, cuts, steps = triples(world.population)
    ranks = world.store(tmp_path).ranks(users, cuts, steps, steps + 1)
    for user, step, rank in zip(users, steps, ranks, strict=True):
        stream = world.population.behaviour.stream(user)
        position = world.population.replay_from[user] + step
        if stream[position] in stream[:position]:
            assert rank == 0


def test_lists_longer_than_what_is_left_of_the_catalogue(population: Population, tmp_path: Path) -> None:
    assert_same(World(population, length=N_ITEMS - 5), tmp_path)


@torch.no_grad()
def test_alpha_1_keeps_the_order_of_the_llm_and_alpha_0_shows_that_of_the_srm(
    population: Population, tmp_path: Path
) -> None:
    for over in ("scores", "ranks"):
        for alpha in (0.0, 1.0):
            world = World(population, fusion=Fusion.model_validate({"over": over, "alpha": alpha}))
            users, cuts, steps = triples(population)
            held = cuts != NOTHING
            users, cuts, steps = users[held], cuts[held], steps[held]
            ranks = world.store(tmp_path / f"{over}{alpha}").ranks(users, cuts, steps, steps + 1)
            for user, cut, step, rank in zip(users[::7], cuts[::7], steps[::7], ranks[::7], strict=True):
                stream, first = population.behaviour.stream(user), population.replay_from[user]
                ((ids, _),) = world.llm.candidates([stream[: first + cut]], LENGTH)
                left = ids[~np.isin(ids, stream[: first + step])]
                if alpha == 0:
                    history = torch.from_numpy(stream[: first + step].astype(np.int64))[None]
                    own = world.srm.score_all(world.srm.encode(history)[:, -1])[0].numpy()
                    left = left[np.argsort(-own[left], kind="stable")]
                place = np.flatnonzero(left == stream[first + step])
                assert rank == (place[0] + 1 if len(place) else 0)


def test_float32_parts_from_float64_only_at_near_ties(population: Population, tmp_path: Path) -> None:
    exact, rounded = World(population), World(population, dtype=torch.float32)
    users, cuts, steps = triples(population)
    one = exact.store(tmp_path / "64").ranks(users, cuts, steps, steps + 1)
    other = rounded.store(tmp_path / "32").ranks(users, cuts, steps, steps + 1)
    live = exact.live()
    for i in np.flatnonzero(one != other):
        device = live.device(users[i])
        if cuts[i] != NOTHING:
            device.hold(cuts[i])
        device.look(steps[i])
        assert device.margin() < 1e-5
    assert (one != other).mean() < 0.001


def test_margins_are_zero_at_ties_and_wide_elsewhere(population: Population) -> None:
    world = World(population)
    assert isinstance(world.llm, Causal)
    torch.nn.init.zeros_(world.llm.network.model.embed_tokens.weight)
    torch.nn.init.zeros_(world.srm.items.weight)
    device = world.live().device(int(population.replayed[0]))
    device.hold(0)
    device.look(0)
    assert device.margin() == 0
    fresh = World(population).live().device(int(population.replayed[0]))
    fresh.hold(0)
    fresh.look(0)
    assert fresh.margin() > 1e-6


def test_ties_in_a_list_are_broken_by_id_even_where_they_reach_its_end() -> None:
    draws = torch.Generator().manual_seed(0)
    for trial in range(100):
        # Of many columns, groups are chosen first; with few scores there are ties between groups, too.
        width, kinds, dtype = (30, 150)[trial % 2], (4, 60)[trial // 2 % 2], (torch.float64, torch.float32)[trial // 50]
        scores = torch.randint(-2, kinds - 2, (6, width), generator=draws).to(dtype)
        scores[torch.rand(6, width, generator=draws) < 0.3] = -torch.inf
        columns, values = best(scores, 11)
        for row in range(6):
            order = sorted(range(width), key=lambda column: (-float(scores[row, column]), column))
            there = int((values[row] > -torch.inf).sum())
            assert there == min(11, int((scores[row] > -torch.inf).sum()))
            assert columns[row, :there].tolist() == order[:there]
            assert values[row].tolist() == [float(scores[row, column]) for column in order[:11]]


def test_what_is_stored_needs_no_models(population: Population, tmp_path: Path) -> None:
    world = World(population, dtype=torch.float32)
    users, cuts, steps = triples(population)
    first = world.store(tmp_path)
    ranks = first.ranks(users, cuts, steps, steps + 1)
    signal = first.signal("footrule", int(users[-1]), 0, 0, 2)
    first.flush()

    def closed() -> Blocks:
        raise AssertionError("models were opened")

    again = world.store(tmp_path, closed)
    assert again.ranks(users, cuts, steps, steps + 1).tolist() == ranks.tolist()
    assert again.signal("footrule", int(users[-1]), 0, 0, 2).tolist() == signal.tolist()


def test_nothing_is_made_elsewhere_than_where_the_models_are(population: Population, tmp_path: Path) -> None:
    """Every signal and both catalogues, while a tensor made without a word of where would have no numbers at all."""
    for dtype in (torch.float32, torch.float64):
        world = World(population, signals=NAMES, catalogue=WholeCatalogue(), dtype=dtype)
        users = population.replayed
        cuts, stops = np.zeros_like(users), population.steps[users]
        plain = world.blocks()
        held, alone = plain.held(users, cuts, stops), plain.alone(users, stops)
        other = world.blocks()
        with torch.device("meta"):
            again, by_itself = other.held(users, cuts, stops), other.alone(users, stops)
        assert again.ranks.tolist() == held.ranks.tolist()
        assert by_itself.tolist() == alone.tolist()
        assert all(np.array_equal(again.signals[name], held.signals[name]) for name in NAMES)


def test_blocks_grow_and_say_the_same(population: Population, tmp_path: Path) -> None:
    long = Population(
        population.behaviour, np.minimum(population.history_end, 1), np.minimum(population.replay_from, 2)
    )
    world = World(long)
    user = int(np.argmax(long.steps))
    last = int(long.steps[user])
    assert last > SHORTEST + 1
    store = world.store(tmp_path / "one")
    one = np.array([user])
    for until in (3, SHORTEST, SHORTEST + 1, last):
        store.ensure(one, one * 0, one * 0 + until)
    piecewise = store.ranks(one, one * 0, one * 0, one * 0 + last)
    at_once = world.store(tmp_path / "other").ranks(one, one * 0, one * 0, one * 0 + last)
    assert piecewise.tolist() == at_once.tolist()


@pytest.mark.parametrize("room", [0, 40, 10_000])
def test_later_steps_of_a_list_are_what_they_are_when_made_at_once(
    population: Population, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Every signal, whether lists are remembered or, for want of room, made again."""
    monkeypatch.setattr("models.blocks.KEPT", room)
    world = World(population, signals=NAMES, catalogue=WholeCatalogue())
    users = np.repeat(population.replayed, 2)
    cuts = np.arange(len(users)) % 2
    stops = population.steps[users]
    some = stops > cuts + 1
    users, cuts, stops = users[some], cuts[some], stops[some]
    at_once = world.blocks().held(users, cuts, stops)
    blocks = world.blocks()
    middle = cuts + 1 + np.arange(len(cuts)) % (stops - cuts - 1)
    early, late = blocks.held(users, cuts, middle), blocks.held(users, cuts, stops, starts=middle)
    was = np.repeat(np.tile([True, False], len(users)), np.stack([middle - cuts, stops - middle], 1).ravel())
    assert at_once.ranks[was].tolist() == early.ranks.tolist()
    assert at_once.ranks[~was].tolist() == late.ranks.tolist()
    for name in NAMES:
        assert np.allclose(at_once.signals[name][was], early.signals[name], atol=1e-12)
        assert np.allclose(at_once.signals[name][~was], late.signals[name], atol=1e-12)


def test_lengths_are_few_and_never_half_as_long_again() -> None:
    counts = np.arange(1, 1000)
    lengths = rounded(counts)
    assert len(np.unique(lengths)) == 20
    assert (lengths >= counts).all()
    assert (2 * lengths < 3 * counts).all()
    assert (rounded(lengths) == lengths).all()


def test_one_call_may_ask_for_a_block_twice(population: Population, tmp_path: Path) -> None:
    world = World(population)
    store = world.store(tmp_path / "one")
    user = np.repeat(np.argmax(population.steps), 3)
    store.ensure(user, np.array([0, 0, NOTHING]), np.array([5, 2, 4]))
    mine = store.ranks(user, np.array([0, 0, NOTHING]), np.array([0, 1, 2]), np.array([5, 2, 4]))
    other = world.store(tmp_path / "other")
    apart = [
        other.ranks(user[:1], np.array([c]), np.array([a]), np.array([b]))
        for c, a, b in ((0, 0, 5), (0, 1, 2), (NOTHING, 2, 4))
    ]
    assert mine.tolist() == np.concatenate(apart).tolist()


def test_nothing_lies_beyond_the_end_of_a_stream(population: Population, tmp_path: Path) -> None:
    store = World(population).store(tmp_path)
    user = int(population.replayed[0])
    with pytest.raises(IndexError, match="beyond the end"):
        store.ensure(np.array([user]), np.array([0]), population.steps[[user]] + 1)
