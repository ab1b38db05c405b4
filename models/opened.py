"""A model of each kind: how it is made before its training, and opened from where it is kept after that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from models import weights
from scenarios.errors import ModelError
from scenarios.population import Population
from scenarios.schema.pretrained import PretrainedLlm
from scenarios.schema.recommenders import CausalLlm, LocalLlm, LocalT5, T5Llm
from scenarios.schema.recommenders import Llm as LlmSpec
from scenarios.schema.recommenders import Srm as SrmSpec

if TYPE_CHECKING:
    from models.llms.base import Llm
    from models.srms.base import Srm
    from scenarios.datasets.published import Announce


def untrained(
    population: Population, spec: SrmSpec | CausalLlm | PretrainedLlm | T5Llm, announce: Announce
) -> Callable[[], Any]:
    """What makes it."""
    from models.sampling import economical

    items = population.behaviour.n_items
    match spec:
        case SrmSpec():
            from models import srms

            return lambda: economical(srms.build(items, spec), population)
        case PretrainedLlm():
            from models.llms import pretrained

            return lambda: pretrained.build(population.behaviour, spec, announce)
        case CausalLlm():
            from models.llms import causal

            return lambda: economical(causal.build(items, spec), population)
        case T5Llm():
            from models.llms import naming, t5

            codes = naming.item_codes(population, spec, announce)
            return lambda: t5.build(codes, spec)
        case _:
            assert_never(spec)


def open_srm(n_items: int, spec: SrmSpec, name: str) -> Srm:
    """The device's model that is kept under this key, not in training. Raises `ModelError`."""
    from models import srms

    model = srms.build(n_items, spec)
    weights.load(model, weights.path_of(name))
    return model.eval()


def open_llm(n_items: int, spec: LlmSpec, name: str) -> Llm:
    """The cloud's model that is kept under this key, or the local one, not in training. Raises `ModelError`."""
    match spec:
        case LocalLlm():
            from models.llms import local_causal

            return local_causal.load(n_items, spec)
        case LocalT5():
            from models.llms import local_t5

            return local_t5.load(n_items, spec)
        case PretrainedLlm():
            from models.llms import pretrained

            return pretrained.open_tuned(n_items, spec, weights.path_of(name))
        case CausalLlm():
            from models.llms import causal

            tokens = causal.build(n_items, spec)
            weights.load(tokens, weights.path_of(name))
            return tokens.eval()
        case T5Llm():
            return _open_t5(n_items, spec, weights.path_of(name))
        case _:
            assert_never(spec)


def _open_t5(n_items: int, spec: T5Llm, path: Path) -> Llm:
    """By the codes that it was trained with: another machine might make others of the same vectors."""
    from models.llms import t5

    codes = t5.kept_codes(path)
    if codes.n_items != n_items:
        raise ModelError(f"{path}: names {codes.n_items} items, but the data set has {n_items}")
    if not (codes.tokens < codes.vocabulary).all():
        raise ModelError(f"{path}: names items by tokens beyond its {codes.vocabulary}")
    try:
        model = t5.build(codes, spec)
    except ValueError as error:
        raise ModelError(f"{path}: {error}") from error
    weights.load(model, path)
    return model.eval()
