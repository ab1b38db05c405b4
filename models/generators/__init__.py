"""What generates heads for the device's model: the key that each is kept by, how it is made and trained.

Each kind is one file with a class `Model`, found by its name. The device's model is trained within it, and is its
`backbone`. Nothing here imports torch until a model is made.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from models import trained, weights
from models.trained import Announce
from scenarios.behaviour import IntArray
from scenarios.cache import content_key
from scenarios.errors import ModelError
from scenarios.population import Population
from scenarios.schema.generators import Generator as Spec
from scenarios.schema.generators import Solid
from scenarios.schema.recommenders import Srm as SrmSpec

if TYPE_CHECKING:
    from models.generators.base import Generator

COMMON = ("generators/__init__.py", "generators/base.py", "generators/duet.py")
SEMANTIC = ("generators/solid.py", "llms/semantic_ids.py")
IGNORED = {"training", "stages"}
"""Keys of `recommenders.srm` that mean nothing here."""
VECTORS = {"behaviour": "behaviour_vectors.py", "text": "text.py"}


def sources(spec: Spec) -> tuple[str, ...]:
    """The generator's own source files."""
    return (*COMMON, *SEMANTIC, VECTORS[spec.semantics]) if isinstance(spec, Solid) else COMMON


def key(population: Population, srm: SrmSpec, spec: Spec) -> str:
    """Names the weights of a generator and its backbone. How parameters are sent is no part of it."""
    code = weights.code_digest(*trained.TRAINING, *trained.sources(srm), *sources(spec))
    told = srm.model_dump(exclude=IGNORED)
    return content_key("generator", weights.population_key(population), told, spec.model_dump(exclude={"wire"}), code)


def train_once(population: Population, srm: SrmSpec, spec: Spec, announce: Announce, progress: bool) -> str:
    """Train and keep a generator with its backbone, unless weights of its key are there; gives the key.

    Raises `ModelError`, and `UserError` for a full disk.
    """
    name = key(population, srm, spec)

    def make() -> tuple[Any, weights.Facts]:
        from models.training import train

        label = f"training what generates parameters ({spec.kind})"
        exact = spec.model_copy(update={"wire": "fp32"})
        maker = _maker(population, srm, exact, name, announce, progress)
        return train(maker, population, srm.window, spec.training, name, label, silent=not progress)

    trained.once(name, make, announce)
    return name


def _maker(
    population: Population, srm: SrmSpec, spec: Spec, name: str, announce: Announce, progress: bool
) -> Callable[[], Generator]:
    """What makes it, untrained. SOLID's first stage is trained before."""
    items = population.behaviour.n_items
    if not isinstance(spec, Solid):
        return lambda: build(items, srm, spec)
    import torch

    from models.generators.solid import Meanings, Model
    from models.training import train

    meaning = clusters(population, spec, announce)
    taken = np.bincount(population.behaviour.items[_history(population)], minlength=items)
    meanings, _ = train(
        lambda: Meanings(srm, spec, meaning, taken),
        population,
        srm.window,
        spec.training,
        f"{name}-meanings",
        "training what meanings say (solid)",
        silent=not progress,
    )
    learned = meanings.backbone.items.weight.detach()

    def make() -> Generator:
        made = Model(items, srm, spec)
        made.begin(torch.from_numpy(meaning), learned)
        return made

    return make


def clusters(population: Population, spec: Solid, announce: Announce) -> IntArray:
    """[n_items] the cluster of each item. Raises `ModelError` where titles are to be clustered and there are none."""
    from models.llms.semantic_ids import k_means

    if spec.semantics == "text":
        from models.text import title_vectors

        vectors = title_vectors(population.behaviour, announce).astype(np.float64)
    else:
        from models.behaviour_vectors import behaviour_vectors

        vectors = behaviour_vectors(population)
        # How much is known of an item is not what it means.
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        # Items that no history has are alike: what their vectors hold is rounding.
        known = lengths > 1e-6 * lengths.max()
        vectors = np.where(known, vectors, 0) / np.where(known, lengths, 1)
    return k_means(vectors, spec.clusters, np.random.default_rng(spec.training.seed))[1]


def _history(population: Population) -> IntArray:
    """Places in the flat array of what lies in the histories."""
    from models.reading import spans

    return spans(population.behaviour.offsets[:-1], population.history_end)


def build(n_items: int, srm: SrmSpec, spec: Spec) -> Generator:
    """An untrained generator of the kind that the scenario names. Raises `ModelError` where the SRM does not fit."""
    made: Generator = importlib.import_module(f"models.generators.{spec.kind}").Model(n_items, srm, spec)
    return made


def open_generator(n_items: int, srm: SrmSpec, spec: Spec, name: str) -> Generator:
    """The generator that is kept under this key, with its backbone, not in training. Raises `ModelError`."""
    model = build(n_items, srm, spec)
    weights.load(model, weights.path_of(name))
    return model.eval()


def trained_generator(
    population: Population, srm: SrmSpec, spec: Spec, announce: Announce, progress: bool
) -> tuple[Generator, weights.Facts]:
    """A generator by itself, not in training, and its facts; it is trained first if it is not yet.

    It ranks with a head made at every position; its `backbone` ranks without. Raises as `train_once` does.
    """
    name = train_once(population, srm, spec, announce, progress)
    facts = weights.read_facts(name)
    if facts is None:
        raise ModelError(f"{weights.path_of(name)}: was removed while it was needed")
    return open_generator(population.behaviour.n_items, srm, spec, name), facts
