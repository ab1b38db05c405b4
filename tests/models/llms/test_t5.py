"""Prompts say what they should, lists hold what they should, and what is trained is what is asked."""

import numpy as np
import pytest
import torch
from torch import Tensor

from models import weights
from models.llms.item_codes import END, FIRST, PAD, digits, numbered, own_tokens
from models.llms.naming import item_codes
from models.llms.prompt import Prompt
from models.llms.t5 import ROWS, T5, build
from models.reading import read
from models.training import train
from models.validation import Validation
from models.weights import Facts
from models.windows import Windows
from scenarios.population import Population
from scenarios.schema.recommenders import T5Llm
from scenarios.schema.training import Training

N_ITEMS = 60
CPU = torch.device("cpu")
SPEC = T5Llm(width=16, layers=1, heads=2, window=6, beams=None)
CODES = {
    "digits": digits(N_ITEMS),
    "token": own_tokens(N_ITEMS),
    "semantic": numbered(np.random.default_rng(0).integers(4, size=(N_ITEMS, 2))),
}
HISTORIES = [np.array(each) for each in ([3], [5, 9, 5], [7, 8, 9, 10, 11, 12, 13, 14, 59], list(range(50)), [0] * 4)]


def model(way: str = "digits", beams: int | None = None) -> T5:
    torch.manual_seed(0)
    made = build(CODES[way], SPEC.model_copy(update={"beams": beams})).double().eval()
    with torch.no_grad():
        made.network.shared.weight.mul_(3)
    return made


def test_prompts_are_the_codes_of_the_history_between_the_words() -> None:
    prompt = Prompt(before=(90, 91), between=(92,), after=(93, END))
    codes = torch.tensor([[10, PAD], [11, 12]])
    histories = torch.tensor([[-1, -1, 0], [1, 0, -1], [-1, -1, -1], [0, 1, 1]])
    tokens, places = prompt.put(codes, histories)
    assert tokens.tolist() == [
        [90, 91, 10, 93, END, 0, 0, 0, 0, 0, 0],
        [90, 91, 11, 12, 92, 10, 93, END, 0, 0, 0],
        [90, 91, 93, END, 0, 0, 0, 0, 0, 0, 0],
        [90, 91, 10, 92, 11, 12, 92, 11, 12, 93, END],
    ]
    assert places.tolist() == [
        [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 2, 2, 0, 1, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 3, 0, 2, 2, 0, 1, 1, 0, 0],
    ]


def plainly(llm: T5, history: np.ndarray) -> Tensor:
    """[n_items] log-probabilities, token by token from what the network says of one whole prompt and answer."""
    last = history[-SPEC.window :]
    tokens = torch.tensor([*llm.codes.tokens[last].ravel().tolist(), END])
    embedded = llm.network.shared(tokens)
    assert llm.places is not None
    for back in range(len(last)):
        depth = llm.codes.tokens.shape[1]
        begin = (len(last) - 1 - back) * depth
        embedded[begin : begin + depth] += llm.places.weight[back + 1]
    answers = torch.from_numpy(llm.codes.answers())
    logits = llm.network(
        inputs_embeds=embedded[None].expand(len(answers), -1, -1), decoder_input_ids=llm.network._shift_right(answers)
    ).logits.log_softmax(-1)
    return logits.gather(2, answers[..., None]).sum((1, 2))


@torch.no_grad()
@pytest.mark.parametrize("way", CODES)
@pytest.mark.parametrize("beams", [None, N_ITEMS])
def test_lists_are_those_of_brute_force(way: str, beams: int | None) -> None:
    llm = model(way, beams)
    for history, (ids, scores) in zip(HISTORIES, llm.candidates(HISTORIES, 12), strict=True):
        truth = plainly(llm, history).numpy()
        left = np.setdiff1d(np.arange(N_ITEMS), history)
        assert ids.tolist() == left[np.argsort(-truth[left], kind="stable")][:12].tolist()
        np.testing.assert_allclose(scores, truth[ids])


@pytest.mark.parametrize("beams", [None, 1, 5, 50])
def test_lists_hold_real_items_once_each_none_of_them_consumed_best_first(beams: int | None) -> None:
    histories = [*HISTORIES, np.arange(N_ITEMS - 1), np.arange(N_ITEMS)] * 12  # more than a batch
    for history, (ids, scores) in zip(histories, model("semantic", beams).candidates(histories, 20), strict=True):
        assert len(ids) == min(20, N_ITEMS - len(np.unique(history)))
        assert len(set(ids.tolist())) == len(ids)
        assert not set(ids.tolist()) & set(history.tolist())
        assert set(ids.tolist()) <= set(range(N_ITEMS))
        assert (np.diff(scores) <= 0).all()


@torch.no_grad()
def test_batched_states_give_the_lists_of_one_by_one() -> None:
    """As training and the store of outcomes read: many stretches of streams at once."""
    llm = model()
    items = np.random.default_rng(3).integers(N_ITEMS, size=40).astype(np.int32)
    ends, firsts = np.arange(1, 41), np.repeat([0, 22], [22, 18])
    begins = firsts + llm.contexts(ends - firsts)
    states = read(llm.encode, items, begins, ends, CPU)
    scores = llm.score_all(states).numpy()
    assert len(states) > ROWS
    histories = [items[first:end] for first, end in zip(firsts, ends, strict=True)]
    for row, (history, (ids, mine)) in enumerate(zip(histories, llm.candidates(histories, 12), strict=True)):
        left = np.setdiff1d(np.arange(N_ITEMS), history)
        assert ids.tolist() == left[np.lexsort((left, -scores[row, left]))][:12].tolist()
        np.testing.assert_allclose(mine, scores[row, ids])


def test_the_loss_is_what_lists_are_scored_with(monkeypatch: pytest.MonkeyPatch) -> None:
    llm = model("semantic")
    windows = torch.tensor([[4, 9, 33, 2, -1], [8, 1, -1, -1, -1], [1, 2, 3, 4, 5]])
    monkeypatch.setattr(torch, "rand", lambda n, device: torch.full((n,), 0.999))
    with torch.no_grad():
        asked = (([4, 9, 33], 2), ([8], 1), ([1, 2, 3, 4], 5))
        expected = [float(plainly(llm, np.array(history))[item]) for history, item in asked]
        assert float(llm.loss(windows)) == pytest.approx(-sum(expected) / 3)


def test_every_item_of_a_window_but_the_first_is_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    llm = model()
    asked: list[tuple[int, int]] = []
    kept = llm.read

    def watched(histories: Tensor, places: bool = True) -> tuple[Tensor, Tensor]:
        asked.extend(zip((histories >= 0).sum(1).tolist(), histories[:, 0].tolist(), strict=True))
        return kept(histories, places)

    monkeypatch.setattr(llm, "read", watched)
    windows = torch.tensor([[4, 9, 33, 2], [8, 1, -1, -1]])
    for _ in range(20):
        llm.loss(windows)
    assert set(asked) == {(1, 4), (2, 4), (3, 4), (1, 8)}


def test_unheld_beams_name_what_they_like() -> None:
    """Invalid ones, consumed ones; the best of them as brute force over all strings has them."""
    llm = model()
    strings = torch.cartesian_prod(*[torch.arange(llm.codes.vocabulary)] * 2)
    for history, said in zip(HISTORIES, llm.generated(HISTORIES, beams=40), strict=True):
        assert said.invalid + len(said.ids) == 40
        with torch.no_grad():
            embedded, _ = llm.read(torch.from_numpy(history[-SPEC.window :])[None])
            logits = llm.network(
                inputs_embeds=embedded.expand(len(strings), -1, -1), decoder_input_ids=llm.network._shift_right(strings)
            ).logits.log_softmax(-1)
        scores = logits.gather(2, strings[..., None]).sum((1, 2))
        best = strings[scores.argsort(descending=True)[:12]].tolist()
        named = [(tens - FIRST) * 10 + units - FIRST for tens, units in best if tens >= FIRST and units >= FIRST]
        named = [item for item in named if item < N_ITEMS]
        assert said.ids[: len(named)].tolist() == named
    both = llm.generated(HISTORIES, beams=40)
    assert any(set(said.ids.tolist()) & set(history.tolist()) for history, said in zip(HISTORIES, both, strict=True))
    assert any(said.invalid for said in both)
    untold = llm.generated(HISTORIES, beams=40, places=False)
    assert any(a.ids.tolist() != b.ids.tolist() for a, b in zip(both, untold, strict=True))


@pytest.mark.parametrize("way", CODES)
def test_free_lists_are_what_is_left_of_what_generate_says(way: str) -> None:
    llm = model(way)
    llm.constrained = False
    short = 0
    for history, said, (ids, scores) in zip(
        HISTORIES, llm.generated(HISTORIES, beams=40), llm.candidates(HISTORIES, 40), strict=True
    ):
        left = ~np.isin(said.ids, history)
        assert ids.tolist() == said.ids[left].tolist()
        np.testing.assert_allclose(scores / llm.codes.tokens.shape[1], said.scores[left], rtol=1e-5)
        short += len(ids) < 40
    assert short
    wide = model(way, beams=60)
    wide.constrained = False
    for (few, _), (many, _) in zip(llm.candidates(HISTORIES, 20), wide.candidates(HISTORIES, 20), strict=True):
        assert len(few) <= len(many)


def test_a_code_that_is_cut_short_names_nothing() -> None:
    llm = model()
    said = torch.tensor([[5, 4, PAD], [5, PAD, PAD], [5, 4, 3], [FIRST + 6, FIRST, PAD]])
    assert llm._named(said).tolist() == [32, -1, -1, -1]
    assert llm._named(said[:, :1]).tolist() == [-1] * 4


def test_weights_hold_each_table_once_and_come_back() -> None:
    llm = model().float()
    weights.save(llm, "key", Facts(None, 1, 0.0, **weights.size_of(llm)))
    other = build(CODES["digits"], SPEC).eval()
    weights.load(other, weights.path_of("key"))
    (mine, _), (theirs, _) = (each.candidates(HISTORIES[2:3], 10)[0] for each in (llm, other))
    assert mine.tolist() == theirs.tolist()
    assert other.network.lm_head.weight is other.network.shared.weight
    tables = ("shared.weight", "embed_tokens.weight", "lm_head.weight")
    assert sum(name.endswith(tables) for name in llm.state_dict()) == 1


@pytest.mark.parametrize("way", ["digits", "token", "semantic_behaviour"])
def test_training_learns_what_follows_what(way: str, population: Population) -> None:
    spec = T5Llm(
        item_ids=way, levels=1, codebook=8, width=32, layers=1, heads=2, window=6, dropout=0.0,
        training=Training(epochs=3, batch_size=8, learning_rate=0.01),
    )  # fmt: skip
    codes = item_codes(population, spec, print)
    assert codes.n_items == N_ITEMS

    @torch.no_grad()
    def loss(llm: T5) -> float:
        torch.manual_seed(0)
        windows = Windows(population, spec.window, 8, 1)
        return float(np.mean([float(llm.loss(windows[k]["items"])) for k in range(len(windows))]))

    torch.manual_seed(0)
    untrained = build(codes, spec).eval()
    trained, facts = train(lambda: build(codes, spec), population, spec.window, spec.training, "key", "", silent=True)
    assert not trained.training
    assert loss(trained) < 0.9 * loss(untrained)
    assert facts.validation_ndcg_at_10 == pytest.approx(Validation(population, T5.JUDGED).ndcg_at_10(trained, CPU))
