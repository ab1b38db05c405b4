"""A device's state is exact however it is computed, and no state knows what comes after it."""

from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.srms import build
from models.srms.base import PAD, Srm
from scenarios.errors import ModelError
from scenarios.schema.recommenders import Srm as Spec
from scenarios.schema.recommenders import SrmKind

N_ITEMS = 23
KINDS = get_args(SrmKind)


def small(kind: str, layers: int = 2, window: int = 7) -> Srm:
    torch.manual_seed(layers * 100 + window)
    model = build(N_ITEMS, Spec.model_validate({"kind": kind, "width": 8, "layers": layers, "window": window}))
    for parameter in model.parameters():
        if parameter.dim() < 2 or parameter.abs().max() == 0:  # biases that start at zero must take part
            torch.nn.init.normal_(parameter)
    return model.eval()


def everything(model: Srm, state: torch.Tensor) -> torch.Tensor:
    return model.score(state, torch.arange(N_ITEMS)[None])


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(
    length=st.integers(1, 40),
    batch=st.integers(1, 3),
    layers=st.integers(1, 3),
    window=st.integers(2, 9),
    data=st.data(),
)
@torch.no_grad()
def test_step_by_step_is_encode(
    kind: str, length: int, batch: int, layers: int, window: int, data: st.DataObject
) -> None:
    model = small(kind, layers, window)
    ids = data.draw(st.lists(st.integers(0, N_ITEMS - 1), min_size=batch * length, max_size=batch * length))
    items = torch.tensor(ids).view(batch, length)
    whole = model.encode(items)
    memory = model.start(batch)
    for t in range(length):
        memory, state = model.step(memory, items[:, t])
        torch.testing.assert_close(state, whole[:, t], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(everything(model, state), everything(model, whole[:, t]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_neither_the_future_nor_padding_is_seen(kind: str) -> None:
    model = small(kind)
    items = torch.randint(N_ITEMS, (1, 30))
    other = items.clone()
    other[:, 12:] = (other[:, 12:] + 1) % N_ITEMS
    torch.testing.assert_close(model.encode(items)[:, :12], model.encode(other)[:, :12])
    padded = torch.cat([items, torch.full((1, 17), PAD)], dim=1)
    torch.testing.assert_close(model.encode(items), model.encode(padded)[:, :30])


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_candidate_scores_the_same_in_any_company(kind: str) -> None:
    model = small(kind)
    states = model.encode(torch.randint(N_ITEMS, (4, 11)))[:, -1]
    candidates = torch.randint(N_ITEMS, (4, 5))
    alone = everything(model, states).gather(1, candidates)
    torch.testing.assert_close(model.score(states, candidates), alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_learns_a_stream_that_repeats(kind: str) -> None:
    torch.manual_seed(0)
    spec = Spec.model_validate({"kind": kind, "width": 16, "layers": 1, "window": 6, "dropout": 0.0})
    model = build(N_ITEMS, spec).train()
    items = (torch.arange(13)[None] + torch.arange(N_ITEMS)[:, None]) % N_ITEMS
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        model.loss(items).backward()
        optimizer.step()
    state = model.eval().encode(items[:, :-1])[:, -1]
    assert (everything(model, state).argmax(1) == items[:, -1]).float().mean() > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_padding_carries_no_loss(kind: str) -> None:
    model = small(kind)
    items = torch.randint(N_ITEMS, (2, 9))
    padded = torch.cat([items, torch.full((2, 4), PAD)], dim=1)
    torch.manual_seed(1)
    plain = model.loss(items)
    torch.manual_seed(1)
    torch.testing.assert_close(model.loss(padded), plain, atol=1e-5, rtol=1e-5)


def test_the_loss_of_din_scores_what_a_device_would_score() -> None:
    model = build(N_ITEMS, Spec(kind="din", width=8, window=4, options={"negatives": 5}, dropout=0.3)).eval()
    items = torch.randint(N_ITEMS, (3, 10))
    items[1, 6:] = PAD
    torch.manual_seed(2)
    loss = model.loss(items)
    torch.manual_seed(2)
    drawn = torch.randint(N_ITEMS, (3, 5))
    losses = []
    for window, target in ((w, t) for w in range(3) for t in range(1, 10) if items[w, t] != PAD):
        true = int(items[window, target])
        others = [item for item in drawn[window].tolist() if item != true]
        state = model.encode(items[window : window + 1, :target])[:, -1]
        scores = model.score(state, torch.tensor([[true, *others]]))
        losses.append(-scores.log_softmax(1)[0, 0])
    torch.testing.assert_close(loss, torch.stack(losses).mean())


def test_unknown_options_are_named() -> None:
    with pytest.raises(ModelError, match=r"options: din does not know negative; known: negatives"):
        build(N_ITEMS, Spec(kind="din", options={"negative": 3}))
    with pytest.raises(ModelError, match=r"options.negatives: 'many' is not of type int"):
        build(N_ITEMS, Spec(kind="din", options={"negatives": "many"}))
