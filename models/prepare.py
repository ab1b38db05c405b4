"""A scenario's recommenders from its blocks: what is not trained yet is trained, and everything gets its key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from models import generators, learned, lsc4rec_code, trained, weights
from models.catalogue import part_of
from models.head import refuse
from models.recommenders import Recommenders, of_one_device
from models.signals import NAMES, OF_CATALOGUE
from models.trained import READING, Announce
from scenarios.cache import content_key
from scenarios.errors import UserError
from scenarios.population import Population
from scenarios.schema.adaptation import AnyAdaptation, NoAdaptation
from scenarios.schema.fleet import Catalogue, Fusion, NoCatalogue
from scenarios.schema.pushes import Pushes
from scenarios.schema.recommenders import Recommenders as Spec

MAKING = (
    *READING,
    "blocks.py",
    "catalogue.py",
    "fusion.py",
    "held.py",
    "lists.py",
    "outcomes.py",
    "own_part.py",
    "recommenders.py",
    "states.py",
)
"""Source files whose change makes older outcomes another thing, whatever the models."""


def prepare(
    population: Population,
    spec: Spec,
    catalogue: Catalogue,
    fusion: Fusion,
    signals: Sequence[str],
    announce: Announce,
    progress: bool,
    adaptation: AnyAdaptation | None = None,
) -> Recommenders:
    """Train what is not trained yet, and say where everything is.

    Raises `ModelError`, and `UserError` for a full disk or a signal that the device has no catalogue for.

    signals: those that policies look at. announce: takes lines for people. progress: whether bars are shown.
    adaptation: of the devices; none where absent.
    """
    adaptation = adaptation or NoAdaptation()
    refuse(adaptation, spec.srm)
    _known(signals, catalogue)
    if spec.llm is None and isinstance(catalogue, NoCatalogue):
        raise UserError(
            "fleet.catalogue: none, but with recommenders.llm null the cloud sends parameters and no list, so that the "
            "device has nothing to put in order; expected popular or all"
        )
    srm_key, llm_key = _trained(population, spec, announce, progress)
    # A local model's lists depend on the streams too, and on how they are searched.
    streams, searched = weights.population_key(population), trained.searched_by(spec.llm)
    models = (streams, srm_key, llm_key, *searched, spec.list_length, fusion.model_dump(), catalogue.model_dump())
    code = (*MAKING, *trained.sources(spec.srm), *(() if spec.llm is None else trained.sources(spec.llm)))
    sent = () if spec.generator is None else (spec.generator.wire,)
    if spec.generator is not None:
        code = (*code, *generators.sources(spec.generator), "generators/wire.py")
    adapting = () if isinstance(adaptation, NoAdaptation) else (adaptation.model_dump(),)
    models, code = (*models, *sent, *adapting), (*code, *(["adaptation.py"] if adapting else []))
    learning = [name for name in signals if name in learned.NAMES]
    learning_code = [f"signals/{name}.py" for name in NAMES] + sorted(
        str(path.relative_to(weights.ROOM)) for path in (weights.ROOM / "learned").glob("*.py")
    )
    learned_key = content_key(*models, weights.code_digest(*code, "pairs.py", *learning_code))
    signal_code = tuple(f"signals/{name}.py" for name in signals if name in NAMES)
    if lsc4rec_code.NAME in signals:
        signal_code += ("lsc4rec_code.py", *(f"signals/{name}.py" for name in lsc4rec_code.SEEN))
    key = content_key(
        *models,
        spec.precision,
        sorted(signals),
        weights.code_digest(*code, *signal_code),
        *([learned_key] if learning else []),
    )
    part = part_of(catalogue, population)
    seen = tuple(signals)
    return Recommenders(
        population, spec, fusion, part, seen, srm_key, llm_key, key, learned_key, announce, progress, adaptation
    )


def _trained(population: Population, spec: Spec, announce: Announce, progress: bool) -> tuple[str, str | None]:
    """Keys of the device's model and the cloud's, after their training."""
    srm_key, llm_key = "", None
    if spec.generator is not None:
        srm_key = generators.train_once(population, spec.srm, spec.generator, announce, progress)
    elif spec.llm is not None:
        label = f"training the device's model ({spec.srm.kind})"
        srm_key = trained.train_srm(population, spec.srm, spec.llm, label, announce, progress)
    if spec.llm is not None:
        llm_key = trained.train_once(population, spec.llm, "training the cloud's model", announce, progress)
    return srm_key, llm_key


def _known(names: Sequence[str], catalogue: Catalogue) -> None:
    """Refuse signals that there are not, or that the device lacks the catalogue for."""
    for name in names:
        if name not in NAMES and name not in learned.NAMES and of_one_device(name):
            known = ", ".join((*NAMES, *learned.NAMES, lsc4rec_code.NAME))
            raise UserError(f"sweep.policies: there is no signal {name}; expected one of {known}")
        if name in OF_CATALOGUE and isinstance(catalogue, NoCatalogue):
            raise UserError(
                f"fleet.catalogue: none, but the signal {name} compares the list with items that the device itself "
                f"holds; expected popular or all"
            )


def refreshed(recommenders: Recommenders, spec: Pushes, learned_from: Sequence[Population]) -> Recommenders:
    """The same with versions of the device's model, each trained further on one of these populations.

    Raises `ModelError`, and `UserError` where the device's model is part of a generator.
    """
    if recommenders.spec.generator is not None:
        raise UserError("fleet.pushes: scheduled, but recommenders.generator trains the device's model; expected none")
    models, key, keys = recommenders.spec, recommenders.srm_key, []
    for k, population in enumerate(learned_from):
        label = f"refreshing the device's model ({k + 1} of {len(learned_from)})"
        for stage in spec.stages:
            key = trained.teach_once(
                population, models.srm, models.llm, stage, key, label, recommenders.announce, recommenders.progress
            )
        keys.append(key)
    return replace(recommenders, pushed=tuple(keys))
