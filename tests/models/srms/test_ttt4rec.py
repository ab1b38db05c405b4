"""The fast form of test-time training is the plain one: items one by one, gradients by autograd, no closed formula."""

import copy
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from models.srms import build
from models.srms.ttt4rec import Model
from scenarios.errors import ModelError
from scenarios.schema.recommenders import Srm as Spec

N_ITEMS = 19
INNER = ("linear", "mlp")
EVERY_WAY = list(product(INNER, ("persist", "reset"), (True, False)))


def untrained(width: int = 8, heads: int = 2, layers: int = 1, window: int = 7, **options: Any) -> Model:
    spec = Spec(kind="ttt4rec", width=width, heads=heads, layers=layers, window=window, options=options)
    model = build(N_ITEMS, spec)
    assert isinstance(model, Model)
    return model.eval()


def small(seed: int = 0, **kwargs: Any) -> Model:
    """Every parameter away from its start, so that none is left out of a comparison unseen."""
    model = untrained(**kwargs)
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        if name.endswith(".shorten"):
            torch.nn.init.normal_(parameter, std=0.3)
        elif parameter.dim() == 1 or name.endswith((".gain", ".shift")):
            torch.nn.init.normal_(parameter)
        else:
            torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
    return model


def stream(length: int, batch: int = 2, seed: int = 1) -> Tensor:
    return torch.randint(N_ITEMS, (batch, length), generator=torch.Generator().manual_seed(seed))


def stepped(model: Model, items: Tensor) -> Tensor:
    memory, states = model.start(len(items)), []
    for item in items.unbind(1):
        memory, state = model.step(memory, item)
        states.append(state)
    return torch.stack(states, dim=1)


def rms_norm(x: Tensor, gain: Tensor) -> Tensor:
    return gain * x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()


def token_loop(model: Model, items: Tensor) -> Tensor:
    """The released architecture as its description reads, item by item; the inner gradients are autograd's own."""
    size = model.option("inner_batch")
    x = functional.layer_norm(model.items(items), (model.spec.width,), model.enter.weight, model.enter.bias, 1e-12)
    for block in model._blocks():
        layer, normed, read = block.layer, rms_norm(x, block.before_layer.weight), []
        heads, inside = layer.heads, layer.head_width
        now: list[Tensor] = [part.expand(len(items), *part.shape) for part in layer.initial]

        def net(weights: list[Tensor], given: Tensor, of: Any = layer) -> Tensor:
            for depth, part in enumerate(weights):
                given = functional.gelu(given, approximate="tanh") if depth else given
                given = given @ part[..., :-1, :] + part[..., -1:, :]
            return of.gain * functional.layer_norm(given, given.shape[-1:], eps=1e-6) + of.shift

        def rotated(vector: Tensor, place: int, inside: int = inside) -> Tensor:
            angle = place * 1000.0 ** (-torch.arange(0, inside, 2, dtype=torch.float64) / inside)
            pairs = torch.view_as_complex(vector.unflatten(-1, (-1, 2)))
            return torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)).flatten(-2)

        for t in range(items.shape[1]):
            place = t % size
            if place == 0:
                begin, total = now, [torch.zeros_like(part) for part in now]
            of_item = normed[:, t]
            query, key, value = layer.project(of_item).view(len(items), 3, heads, 1, inside).unbind(1)
            query, key = rotated(query, place), rotated(key, place)
            loss = 0.5 * (net(begin, key) - (value - key)).square().sum()
            gradients = torch.autograd.grad(loss, begin, create_graph=True)
            rate = (1.0 / inside * layer.rate(of_item).sigmoid())[:, :, None, None]
            total = [sum_so_far + rate * each for sum_so_far, each in zip(total, gradients, strict=True)]
            shortened = torch.clamp(1 / (place + 1) + layer.shorten[place], min=0)
            now = [part - shortened * each for part, each in zip(begin, total, strict=True)]
            joined = (query + net(now, query)).flatten(1)
            read.append(
                layer.out(functional.layer_norm(joined, joined.shape[-1:], layer.norm.weight, layer.norm.bias, 1e-6))
            )
        x = x + torch.stack(read, dim=1)
        gate, up = block.gate_and_up(rms_norm(x, block.before_feed_forward.weight)).chunk(2, dim=-1)
        x = x + block.down(functional.silu(gate) * up)
    return rms_norm(x, model.norm.weight)


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("inner_batch", [1, 3, 8])
def test_the_dual_form_is_the_token_loop(inner: str, inner_batch: int) -> None:
    model = small(layers=2, inner=inner, inner_batch=inner_batch, fast_weights="persist")
    items = stream(21)
    expected = token_loop(copy.deepcopy(model).double(), items).float()
    torch.testing.assert_close(model.encode(items), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("inner", INNER)
def test_training_goes_through_the_inner_steps(inner: str) -> None:
    """Gradients of gradients: the same as autograd has them for the loop, for every single parameter."""
    model = small(inner=inner, inner_batch=3, fast_weights="persist").double()
    items, weigh = stream(8), torch.randn(2, 8, 8, dtype=torch.float64)
    parameters = dict(model.named_parameters())
    of_dual = torch.autograd.grad((model.encode(items) * weigh).sum(), list(parameters.values()))
    of_loop = torch.autograd.grad((token_loop(model, items) * weigh).sum(), list(parameters.values()))
    for name, dual, loop in zip(parameters, of_dual, of_loop, strict=True):
        torch.testing.assert_close(dual, loop, atol=1e-6, rtol=1e-5, msg=lambda told, of=name: f"{of}: {told}")
        assert dual.abs().max() > 0, name


@settings(max_examples=60, deadline=None)
@given(
    way=st.sampled_from(EVERY_WAY),
    inner_batch=st.integers(1, 9),
    window=st.integers(2, 11),
    length=st.integers(1, 60),
    seed=st.integers(0, 1000),
)
@torch.no_grad()
def test_step_by_step_is_encode_in_every_way(
    way: tuple[str, str, bool], inner_batch: int, window: int, length: int, seed: int
) -> None:
    """In float64: weights at random can leave a head with hardly any spread to normalise, which magnifies rounding."""
    inner, fast_weights, updates = way
    options = {"inner": inner, "inner_batch": inner_batch, "fast_weights": fast_weights, "updates": updates}
    model = small(seed, window=window, **options).double()
    items = stream(length, seed=seed)
    torch.testing.assert_close(stepped(model, items), model.encode(items), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize(("inner", "fast_weights"), list(product(INNER, ("persist", "reset"))))
def test_a_trained_model_stays_exact_on_streams_far_longer_than_its_training(inner: str, fast_weights: str) -> None:
    torch.manual_seed(0)
    model = untrained(width=16, heads=2, layers=2, window=10, inner=inner, inner_batch=4, fast_weights=fast_weights)
    windows = (torch.arange(11)[None] + torch.arange(N_ITEMS)[:, None]) % N_ITEMS
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        model.loss(windows).backward()
        optimizer.step()
    items = stream(300)
    with torch.no_grad():
        torch.testing.assert_close(stepped(model, items), model.encode(items), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_step_leaves_the_memory_given_as_it_was() -> None:
    model = small(inner_batch=3)
    memory, _ = model.step(model.start(2), stream(1)[:, 0])
    first = model.step(memory, torch.tensor([3, 4]))[1]
    model.step(memory, torch.tensor([5, 6]))
    assert torch.equal(model.step(memory, torch.tensor([3, 4]))[1], first)


@pytest.mark.parametrize(("inner", "fast_weights", "updates"), EVERY_WAY)
@torch.no_grad()
def test_no_item_is_known_before_its_time(inner: str, fast_weights: str, updates: bool) -> None:
    """At every place of a mini-batch: the items of one mini-batch are read at once, which is where they could leak."""
    model = small(inner=inner, inner_batch=5, fast_weights=fast_weights, updates=updates)
    items = stream(20)
    states = model.encode(items)
    for t in range(1, 20):
        other = items.clone()
        other[:, t:] = (other[:, t:] + 1) % N_ITEMS
        changed = model.encode(other)
        torch.testing.assert_close(changed[:, :t], states[:, :t])
        assert not torch.allclose(changed[:, t], states[:, t])


@pytest.mark.parametrize("inner", INNER)
@torch.no_grad()
def test_updates_are_what_lets_the_past_be_known(inner: str) -> None:
    """The control has the same weights, and without updates nothing but the last item and its place reach a state."""
    on = small(inner=inner, inner_batch=4)
    off = small(seed=5, inner=inner, inner_batch=4, updates=False)
    off.load_state_dict(on.state_dict())
    items = stream(12)
    other = items.clone()
    other[:, :-1] = (other[:, :-1] + 1) % N_ITEMS
    assert not torch.allclose(on.encode(items), off.encode(items), atol=1e-2)
    assert not torch.allclose(on.encode(items)[:, -1], on.encode(other)[:, -1], atol=1e-2)
    assert torch.equal(off.encode(items)[:, -1], off.encode(other)[:, -1])
    switched_off = small(seed=6, inner=inner, inner_batch=4, updates_at_test=False)
    switched_off.load_state_dict(on.state_dict())
    assert torch.equal(switched_off.encode(items), off.encode(items))
    assert switched_off.state_bytes == 0


@pytest.mark.parametrize("inner", INNER)
@torch.no_grad()
def test_reset_begins_anew_at_every_window_and_persist_never_does(inner: str) -> None:
    window, items = 7, stream(20)
    reset = small(inner=inner, window=window, inner_batch=4, fast_weights="reset")
    persist = small(inner=inner, window=window, inner_batch=4, fast_weights="persist")
    apart = torch.cat([reset.encode(part) for part in items.split(window, dim=1)], dim=1)
    torch.testing.assert_close(reset.encode(items), apart, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(persist.encode(items)[:, :window], apart[:, :window], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(persist.encode(items)[:, window:], apart[:, window:], atol=1e-2)
    late = items.clone()
    late[:, 0] = (late[:, 0] + 1) % N_ITEMS
    assert not torch.allclose(persist.encode(items)[:, -1], persist.encode(late)[:, -1], atol=1e-4)


@pytest.mark.parametrize(("inner", "fast_weights"), list(product(INNER, ("persist", "reset"))))
@torch.no_grad()
def test_reading_costs_as_much_an_item_however_long_the_stream(inner: str, fast_weights: str) -> None:
    model = small(inner=inner, window=16, inner_batch=4, fast_weights=fast_weights)

    def multiplications(length: int) -> int:
        with FlopCounterMode(display=False) as counter:
            model.encode(stream(length))
        return counter.get_total_flops()

    assert multiplications(320) == 10 * multiplications(32) > 0
    memory, costs = model.start(2), set()
    for item in stream(24).unbind(1):
        with FlopCounterMode(display=False) as counter:
            memory, _ = model.step(memory, item)
        costs.add(counter.get_total_flops())
    assert len(costs) == 1


@pytest.mark.parametrize(("inner", "floats", "parameters"), [("linear", 1_088, 67_340), ("mlp", 8_512, 74_764)])
def test_sizes_are_those_of_the_released_run(inner: str, floats: int, parameters: int) -> None:
    """4 heads of 16: floats in the fast weights, and parameters of one block with the norm after it."""
    model = untrained(width=64, heads=4, inner=inner)
    assert sum(each.numel() for part in (model.blocks, model.norm) for each in part.parameters()) == parameters
    assert model.state_bytes == 2 * 4 * floats  # the fast weights, and as large a sum of gradients
    assert untrained(width=64, heads=4, layers=3, inner=inner).state_bytes == 3 * model.state_bytes
    assert untrained(width=64, heads=4, inner=inner, updates=False).state_bytes == 0
    memory = model.start(1)
    for item in stream(11, batch=1).unbind(1):
        memory, _ = model.step(memory, item)
    kept = [part for of_block in memory[0] for half in of_block for part in half]
    assert sum(part.nbytes for part in kept) == model.state_bytes


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"inner": "cnn"}, r"options.inner: 'cnn' is not one of linear, mlp"),
        ({"fast_weights": "keep"}, r"options.fast_weights: 'keep' is not one of persist, reset"),
        ({"inner_batch": 0}, r"options.inner_batch: 0 is less than 1"),
        ({"updates": "off"}, r"options.updates: 'off' is not of type bool"),
        ({"inner_bach": 4}, r"does not know inner_bach; known: fast_weights, inner, inner_batch, updates, updates_at_"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ModelError, match=told):
        untrained(**options)


def test_heads_that_cannot_be_rotated_are_refused() -> None:
    with pytest.raises(ModelError, match=r"even width / heads, but 9 / 3 = 3"):
        untrained(width=9, heads=3)
