"""Bytes are those of what is sent, and what arrives is what so many bits can say."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import generators
from models.generators.wire import parameter_bytes, rounded
from scenarios.schema.generators import Duet, Wire
from scenarios.schema.network import Network
from scenarios.schema.recommenders import Srm
from simulator.payload import Payload


@given(st.integers(1, 4), st.sampled_from([4, 8, 12]))
def test_bytes_are_those_of_the_numbers(layers: int, width: int) -> None:
    spec, srm = Duet(layers=layers), Srm(kind="gru4rec", width=width, layers=1, heads=1)
    model = generators.build(20, srm, spec)
    head = model.generate(model.history(torch.zeros(1, 1, dtype=torch.int64))[:, -1])
    assert head.numel() == model.floats == layers * (width * width + width)
    assert parameter_bytes(layers, width, "fp32") == 4 * layers * (width * width + width) == head.float().nbytes
    assert parameter_bytes(layers, width, "fp16") == head.half().nbytes
    assert parameter_bytes(layers, width, "int8") == head.to(torch.int8).nbytes + 4 * 2 * layers


def test_bytes_as_published() -> None:
    """DUET's answers: 8.4 KB at width 32, 33.3 KB at 64."""
    assert [parameter_bytes(2, width, "fp32") for width in (32, 64)] == [8_448, 33_280]


def test_an_answer_brings_parameters_a_list_or_both() -> None:
    network = Network()
    header, bytes_of_list = network.answer_header_bytes, 50 * 6
    assert Payload.of(network, 0, 8_448).answer == header + 8_448
    assert Payload.of(network, 50, 8_448).answer == header + bytes_of_list + 8_448
    assert Payload.of(network, 50).answer == header + bytes_of_list
    assert Payload.of(network, 50, 8_448).rejection == header


@pytest.mark.parametrize(("wire", "most"), [("fp32", 2**-24), ("fp16", 2**-11), ("int8", 0.5 / 127)])
def test_rounding_errs_by_half_a_step_and_only_once(wire: Wire, most: float) -> None:
    torch.manual_seed(0)
    heads = torch.randn(3, 2, 9, 8, dtype=torch.float64)
    heads[0] = 0  # where there is nothing, no scale is made up
    heads[1, :, -1] *= 100  # matrices and biases have a scale each
    found = rounded(heads, wire)
    assert found.dtype == heads.dtype
    torch.testing.assert_close(rounded(found, wire), found, rtol=1e-7, atol=0)
    largest = torch.cat(
        [part.abs().amax((-2, -1), keepdim=True).expand_as(part) for part in (heads[..., :-1, :], heads[..., -1:, :])],
        -2,
    )
    assert ((found - heads).abs() <= 1.001 * most * largest).all()
    assert (found != heads).any()
    if wire == "int8":
        assert len(found[2, 0, :-1].unique()) <= 255
