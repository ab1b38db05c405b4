"""One model of a scenario by itself, trained under the key that runs keep it by: what one has trained, all have."""

from __future__ import annotations

from models import srms, weights
from models.catalogue import LARGE
from models.llms import causal
from models.llms.causal import Causal
from models.recommenders import TRAINING, Announce, _train_once
from models.sampling import economical
from models.srms.base import Srm
from models.weights import Facts
from scenarios.cache import content_key
from scenarios.population import Population
from scenarios.schema.recommenders import CausalLlm, LocalLlm
from scenarios.schema.recommenders import Srm as SrmSpec


def key(population: Population, spec: SrmSpec | CausalLlm) -> str:
    """Names the weights."""
    side, own = "llm", ["llms/causal.py"]
    if isinstance(spec, SrmSpec):
        side, own = "srm", ["srms/base.py", f"srms/{spec.kind}.py"]
    training = TRAINING if population.behaviour.n_items <= LARGE else (*TRAINING, "sampling.py")
    code = weights.code_digest(*training, *own)
    return content_key(side, weights.population_key(population), spec.model_dump(), code)


def trained(
    population: Population, spec: SrmSpec | CausalLlm | LocalLlm, label: str, announce: Announce, progress: bool
) -> tuple[Srm | Causal, Facts]:
    """The model, not in training, and its facts; it is trained first if it is not yet.

    One of a local folder is what lies there, in 0 epochs. label: what the bar calls the training. Raises `ModelError`,
    and `UserError` for a full disk.
    """
    items = population.behaviour.n_items
    if isinstance(spec, LocalLlm):
        given = causal.load(items, spec)
        return given, Facts(None, epochs=0, seconds=0.0, **weights.size_of(given))
    name = key(population, spec)

    def make() -> Srm | Causal:
        return srms.build(items, spec) if isinstance(spec, SrmSpec) else causal.build(items, spec)

    _train_once(name, lambda: economical(make(), population), population, spec, label, announce, progress)
    facts, model = weights.read_facts(name), make()
    assert facts is not None
    weights.load(model, weights.path_of(name))
    return model.eval(), facts
