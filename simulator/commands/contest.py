"""Models that are to be compared: what a name stands for, and what each is worth by itself and in front of lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from pydantic import TypeAdapter

from models import generators, head
from models.evaluation import Burden, burden, ranks
from models.prepare import prepare
from models.stages import CONTROLS, FROM_THE_CLOUD, control
from models.trained import trained
from models.weights import Facts
from scenarios.behaviour import IntArray
from scenarios.errors import ScenarioError
from scenarios.population import Population
from scenarios.schema.adaptation import Adaptation, AnyAdaptation, NoAdaptation
from scenarios.schema.fleet import Fusion, WholeCatalogue
from scenarios.schema.generators import Generator
from scenarios.schema.recommenders import LocalLlm, LocalT5, SrmKind
from scenarios.schema.recommenders import Recommenders as Spec
from scenarios.schema.stages import Stage
from simulator.progress import bar

if TYPE_CHECKING:
    from simulator.policies import AnyScenario

Announce = Callable[[str], None]

KINDS = get_args(SrmKind)
GENERATORS = ("duet", "solid")
ADAPTATIONS = ("bias", "last_layer", "low_rank")
BYTES = 4
"""Of a generated parameter on a device, however it was sent."""


@dataclass(frozen=True)
class Contestant:
    """One training of one model.

    models: the scenario's, with this one in its place. large: whether the cloud's language model is meant.
    """

    models: Spec
    large: bool = False
    adaptation: AnyAdaptation = field(default_factory=NoAdaptation)


@dataclass(frozen=True)
class Score:
    """places: [targets] ranks in the whole catalogue. shown: in fresh lists, None where these were not asked for."""

    places: IntArray
    shown: IntArray | None
    facts: Facts
    burden: Burden


def named(scenario: AnyScenario, names: str | None) -> list[str]:
    """Names of models: a kind of the device's model with what is done to it, a generator, or `llm`.

    `sasrec+mergenet:noise` is a stage with what it has to be held against; MergeNet's two are added where they lack.
    Where none are named, the scenario's own.

    Raises `ScenarioError` for another.
    """
    spec = scenario.recommenders
    if names is None:
        own = "+".join([spec.srm.kind, *(stage.kind for stage in spec.srm.stages)])
        device = _held_against([own]) if spec.generator is None else [spec.generator.kind]
        return [*device, *(["llm"] if spec.llm is not None else [])]
    known = (*KINDS, *GENERATORS, "llm")
    found = list(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in found:
        kind, *rest = name.split("+")
        if kind not in known:
            raise ScenarioError(f"--models: there is no {kind!r}; expected some of {', '.join(known)}")
        if kind == "llm" and spec.llm is None:
            raise ScenarioError("--models: llm, but recommenders.llm is null")
        ways = (*FROM_THE_CLOUD, *ADAPTATIONS) if kind in KINDS else ()
        for each in rest:
            way, _, held_against = each.partition(":")
            if held_against and held_against not in CONTROLS.get(way, {}):
                there = ", ".join(CONTROLS.get(way, {})) or "none"
                raise ScenarioError(f"--models: {name}: {way} has no control {held_against!r}; there is: {there}")
            if way not in ways:
                expected = f"expected one of {', '.join(ways)}" if ways else "nothing is done to it"
                raise ScenarioError(f"--models: {name}: {kind} knows no {each!r}; {expected}")
    return _held_against(found)


def _held_against(names: list[str]) -> list[str]:
    """The same, MergeNet between plain training and noise: without these its own number says nothing."""
    found = []
    for name in names:
        kind, *rest = name.split("+")
        if "mergenet" not in rest:
            found.append(name)
            continue
        plain, noise = (
            "+".join([kind, *(each if each != "mergenet" else f"mergenet:{control}" for each in rest)])
            for control in ("none", "noise")
        )
        alone = rest == ["mergenet"] and kind in names
        found += [*([] if alone else [plain]), name, noise]
    return list(dict.fromkeys(found))


def contestants(scenario: AnyScenario, name: str, seeds: int) -> list[Contestant]:
    """A model's settings, once for each seed of its training; a model of a folder is trained by nobody.

    Stages, adaptations and generators have the scenario's settings where it has them.
    """
    models, fleet = scenario.recommenders, scenario.fleet
    kind, *rest = name.split("+")
    if kind == "llm":
        if isinstance(models.llm, LocalLlm | LocalT5):
            return [Contestant(models, large=True)]
        return [Contestant(_with(models, llm=_seeded(models.llm, n)), large=True) for n in range(seeds)]
    # Settings that only one kind has are nothing to another.
    own = kind in (models.srm.kind, *GENERATORS)
    srm = models.srm if own else models.srm.model_copy(update={"kind": kind, "options": {}})
    if kind in GENERATORS:
        generator = models.generator
        if generator is None or generator.kind != kind:
            generator = TypeAdapter(Generator).validate_python({"kind": kind, "training": srm.training})
        srm = srm.model_copy(update={"stages": ()})
        return [Contestant(_with(models, srm=srm, generator=_seeded(generator, n))) for n in range(seeds)]
    told: dict[str, Any] = {stage.kind: stage for stage in srm.stages}
    stages = []
    for each in rest:
        way, _, held_against = each.partition(":")
        if way in FROM_THE_CLOUD:
            stage = told.get(way) or TypeAdapter(Stage).validate_python({"kind": way})
            stages.append(control(stage, held_against) if held_against else stage)
    adaptation: AnyAdaptation = NoAdaptation()
    for each in rest:
        if each in ADAPTATIONS:
            same = fleet.adaptation.kind == each
            adaptation = fleet.adaptation if same else TypeAdapter(AnyAdaptation).validate_python({"kind": each})
    found = []
    for n in range(seeds):
        taught = _seeded(srm, n).model_copy(update={"stages": tuple(_seeded(stage, n) for stage in stages)})
        found.append(Contestant(_with(models, srm=taught, generator=None), adaptation=adaptation))
    return found


def score(
    one: Contestant, population: Population, fusion: Fusion | None, label: str, announce: Announce, quiet: bool
) -> Score:
    """What it is worth; it is trained first if it is not yet. fusion: how lists are shown, None where none are.

    label: what bars call it. Raises `ModelError`, and `UserError` for a full disk.
    """
    models, adaptation = one.models, one.adaptation if isinstance(one.adaptation, Adaptation) else None
    behaviour, targets = population.behaviour, int(population.steps.sum())
    longest = behaviour.stream(int(behaviour.lengths.argmax()))
    model: Any
    if models.generator is not None and not one.large:
        model, facts = generators.trained_generator(population, models.srm, models.generator, announce, not quiet)
        weighed = _holding(burden(model.backbone, longest), BYTES * model.floats)
    else:
        spec = models.llm if one.large else models.srm
        assert spec is not None, "a language model was asked for where there is one"
        model, facts = trained(population, spec, models.llm, f"training {label}", announce, not quiet)
        weighed = burden(model, longest)
        if adaptation is not None:
            weighed = _holding(weighed, head.burden(adaptation, models.srm.width).bytes)
    with bar(f"ranking by {label}", targets, quiet) as tell:
        places = ranks(model, population, tell, adaptation)
    if fusion is None or one.large:
        return Score(places, None, facts, weighed)
    made = partial(prepare, population, models, WholeCatalogue(), fusion, (), announce, not quiet)
    with bar(f"lists shown by {label}", targets, quiet) as tell:
        shown = made(one.adaptation).fresh(tell).astype(np.int64)
    return Score(places, shown, facts, weighed)


def _holding(burden: Burden, more: int) -> Burden:
    """The same of a device that keeps so many bytes besides."""
    assert burden.state_bytes is not None, "a device's model keeps something"
    return replace(burden, state_bytes=burden.state_bytes + more)


def _with(models: Spec, **changes: Any) -> Spec:
    return models.model_copy(update=changes)


def _seeded(spec: Any, n: int) -> Any:
    """The same, trained by the n-th seed from its own."""
    training = spec.training.model_copy(update={"seed": spec.training.seed + n})
    return spec.model_copy(update={"training": training})
