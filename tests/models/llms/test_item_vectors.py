"""Vectors of items are those that the model itself reads items by; where it has none of its own, that is said."""

from pathlib import Path

import pytest
import torch
from small_llama import write

from models.llms import causal, pretrained, t5
from models.llms.base import Llm
from models.llms.item_codes import digits, own_tokens
from models.llms.item_vectors import item_vectors
from scenarios.errors import ModelError
from scenarios.population import Population
from scenarios.schema.pretrained import PretrainedLlm
from scenarios.schema.recommenders import CausalLlm, T5Llm


def model(kind: str, population: Population, folder: Path) -> Llm:
    torch.manual_seed(0)
    behaviour = population.behaviour
    if kind == "causal":
        return causal.build(behaviour.n_items, CausalLlm(width=16, layers=1, heads=2, window=8)).eval()
    if kind == "t5":
        return t5.build(own_tokens(behaviour.n_items), T5Llm(width=16, layers=1, heads=2, window=8)).eval()
    spec = PretrainedLlm(model=str(write(folder)), window=8, rank=2, precision="float32")
    return pretrained.build(behaviour, spec, announce=lambda _: None).eval()


@torch.no_grad()
@pytest.mark.parametrize("kind", ["causal", "t5", "pretrained"])
def test_the_vector_of_an_item_is_what_its_reading_depends_on(
    kind: str, population: Population, tmp_path: Path
) -> None:
    """Another vector for one item changes the lists of histories that hold it, through this table alone."""
    llm = model(kind, population, tmp_path)
    before = item_vectors(llm)
    assert before.shape == (llm.n_items, 16)
    for table in llm.parameters():  # type: ignore[attr-defined]
        if table.dim() == 2 and len(table) >= llm.n_items:
            first = len(table) - llm.n_items  # tokens of a T5 that no item has
            table[first + 3] += 1.0
    after = item_vectors(llm)
    changed = (after != before).any(1)
    assert changed.nonzero()[:, 0].tolist() == [3]
    torch.testing.assert_close(after[3], before[3] + 1.0)
    before[:] = 0
    assert item_vectors(llm).abs().sum() > 0, "it is a copy"


def test_what_spells_items_has_no_vectors_of_them(population: Population) -> None:
    n_items = population.behaviour.n_items
    llm = t5.build(digits(n_items), T5Llm(width=16, layers=1, heads=2, window=8))
    with pytest.raises(ModelError, match="several tokens each"):
        item_vectors(llm)
