"""The recommenders of a scenario: trained if they are not yet, as a store of outcomes, as live models, and as facts."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from models import generators, learned, lsc4rec_code, trained, weights
from models.catalogue import Part, part_of
from models.generators.wire import parameter_bytes
from models.head import burden, refuse
from models.layer import Layer
from models.lsc4rec_code import Batches
from models.oracle import PREFIX, Oracle
from models.outcomes import OutcomeStore
from models.signals import NAMES, OF_CATALOGUE, Signal, signal
from models.stages import changed_bytes
from models.trained import READING, Announce
from models.versions import Versions
from scenarios.behaviour import IntArray
from scenarios.cache import atomic, content_key, home
from scenarios.errors import UserError, WriteError
from scenarios.population import Population
from scenarios.schema.adaptation import AnyAdaptation, NoAdaptation
from scenarios.schema.fleet import Catalogue, Fusion, NoCatalogue
from scenarios.schema.pushes import Pushes
from scenarios.schema.recommenders import CausalLlm, LocalLlm, LocalT5
from scenarios.schema.recommenders import Recommenders as Spec

if TYPE_CHECKING:
    from models.blocks import Blocks, Tell
    from models.generators.base import Generator
    from models.live import Live, LiveVersions
    from models.llms.base import Llm
    from models.srms.base import Srm

MAKING = (*READING, "blocks.py", "catalogue.py", "fusion.py", "held.py", "outcomes.py", "recommenders.py")
"""Source files whose change makes older outcomes another thing, whatever the models."""

OLDEST = 30
"""Staleness up to which the validation part is looked at for the usual values of a signal."""
LISTS = 20_000
"""At most so many lists of the validation part are looked at for that, spread evenly."""


@dataclass(frozen=True)
class Recommenders:
    """Both models of a scenario over one population, however far away they are kept."""

    population: Population
    spec: Spec
    fusion: Fusion
    part: Part
    signals: tuple[str, ...]
    srm_key: str
    """With a generator this names both, since the device's model is trained within it."""
    llm_key: str | None
    """None where the cloud sends no lists."""
    key: str
    """Names everything that the outcomes depend on."""
    learned_key: str
    """Names everything that learned signals depend on."""
    announce: Announce
    progress: bool
    adaptation: AnyAdaptation = field(default_factory=NoAdaptation)
    pushed: tuple[str, ...] = ()
    """Keys of the weights that are sent to devices while they live, the newest last."""
    _fitted: dict[str, learned.Arrays] = field(default_factory=dict)

    @cached_property
    def outcomes(self) -> OutcomeStore | Layer | Versions:
        """The store; what earlier runs made is in it."""
        if self.pushed:
            return Versions([each.outcomes for each in self._versions])
        foretold = [name for name in self.signals if name.startswith(PREFIX)]
        store = OutcomeStore(
            self.population.steps,
            0 if self.spec.llm is None else self._length,
            self._seen,
            self.spec.precision,
            self._folder,
            self._of_replay,
            self.announce,
            self.progress,
        )
        over = Batches(store, self.population.replayed) if lsc4rec_code.NAME in self.signals else store
        return Oracle(over, foretold) if foretold else over

    @property
    def name(self) -> str:
        """Names everything that the outcomes of all versions depend on."""
        return content_key(self.key, *self.pushed) if self.pushed else self.key

    @cached_property
    def _versions(self) -> list[Recommenders]:
        """One for each version of the device's model. What was learned for the first stays with the device."""
        for name in self.signals:
            if name in learned.NAMES:
                self._parameters(name)
        later = [replace(self, srm_key=key, key=content_key(self.key, key), pushed=()) for key in self.pushed]
        return [replace(self, pushed=()), *later]

    @property
    def parameter_bytes(self) -> int:
        """Of generated parameters in an answer of the cloud."""
        spec = self.spec.generator
        return 0 if spec is None else parameter_bytes(spec.layers, self.spec.srm.width, spec.wire)

    def push_bytes(self, spec: Pushes) -> int:
        """Of a refresh: what its stages change of the device's model, and of the item vectors that the device holds."""
        srm, width = weights.read_facts(self.srm_key), self.spec.srm.width
        assert srm is not None
        whole = srm.bytes - self.population.behaviour.n_items * width * 4 + self.part.bytes(width)
        return max(changed_bytes(stage, self.spec.srm, whole) for stage in spec.stages)

    @property
    def _length(self) -> int:
        """Items in a list."""
        return min(self.spec.list_length, self.population.behaviour.n_items)

    def live(self) -> Live | LiveVersions:
        """The same models, to be called one by one."""
        from models.live import Live, LiveVersions

        if self.pushed:
            return LiveVersions([each.live() for each in self._versions], self.population.behaviour.n_users)
        srm, llm, generator = self._models
        outcomes = self.outcomes
        told = {}
        if isinstance(outcomes, Layer):
            told = {name: outcomes.at(name) for name in self.signals if not _of_one_device(name)}
        functions = {name: self._function(name) for name in self._seen}
        models = (self.population, srm, llm, self.fusion, self.part, self._length)
        return Live(*models, functions, told, self.adaptation, generator)

    def reference(self, signal: str, of_replay: bool = False) -> npt.NDArray[np.float64]:
        """A signal's values on the validation part, sorted: lists of all ages up to `OLDEST` steps, while it lasts.

        of_replay: of the replay part instead, as LSC4Rec's released code reads its thresholds.
        """
        path = self._folder / f"reference-{'of-replay-' * of_replay}{signal}.npy"
        try:
            return np.asarray(np.load(path, allow_pickle=False), np.float64)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, EOFError) as error:
            self.announce(f"{path}: damaged ({error}); made anew")
        first = np.maximum(self.population.history_end, 1)
        steps = np.maximum(self.population.replay_from - first, 0)
        if of_replay:
            first, steps = self.population.replay_from, self.population.steps
        reference = np.sort(self._looked_at(signal, first, steps))
        with atomic(path) as scratch, scratch.open("wb") as file:
            np.save(file, reference)
        return reference

    def _looked_at(self, signal: str, first: IntArray, steps: IntArray) -> npt.NDArray[np.float64]:
        """A signal's values on one part of every stream."""
        names = lsc4rec_code.SEEN if signal == lsc4rec_code.NAME else (signal,)
        blocks = self._blocks(first, steps, {name: self._function(name) for name in names})
        if signal == lsc4rec_code.NAME:
            return lsc4rec_code.usual(blocks.held, self.population.replayed, steps, OLDEST, LISTS)
        users = np.repeat(np.arange(len(steps)), steps)
        cuts = np.arange(len(users)) - np.repeat(np.cumsum(steps) - steps, steps)
        some = np.linspace(0, len(users) - 1, min(len(users), LISTS)).astype(np.int64)
        users, cuts = users[some], cuts[some]
        stops = np.minimum(cuts + OLDEST + 1, steps[users])
        return blocks.held(users, cuts, stops).signals[signal].astype(np.float64)

    def fresh(self, tell: Tell | None = None) -> npt.NDArray[np.uint16]:
        """[sum of steps] ranks, user by user, where every answer is new at every step; tell: how many more are done."""
        users = self.population.replayed
        counts = self.population.steps[users]
        cuts = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        blocks = self._blocks(self.population.replay_from, self.population.steps, {})
        return blocks.held(np.repeat(users, counts), cuts, cuts + 1, tell).ranks

    def bytes_of(self, name: str) -> int:
        """What a device has to hold to compute a signal, apart from its model and catalogue."""
        return learned.size(self._parameters(name)) if name in learned.NAMES else 0

    @property
    def facts(self) -> dict[str, Any]:
        """What a summary says of the recommenders; nothing that depends on the clock."""
        spec, items = self.spec, self.population.behaviour.n_items
        srm = weights.read_facts(self.srm_key)
        assert srm is not None
        own = weights.size_within(self.srm_key, "backbone.") if spec.generator is not None else srm
        vectors = items * spec.srm.width * 4
        facts: dict[str, Any] = {
            "srm": {
                "kind": spec.srm.kind,
                "weights": self.srm_key,
                "parameters": own.parameters,
                "bytes_without_item_vectors": own.bytes - vectors,
                "validation_ndcg_at_10": srm.validation_ndcg_at_10,
                "epochs": srm.epochs,
                "state_bytes": srm.state_bytes,
            },
            "device_catalogue": {"items": self.part.vectors, "bytes": self.part.bytes(spec.srm.width)},
            "answer_items": self.outcomes.answer_items,
            "precision": spec.precision,
        }
        if not isinstance(self.adaptation, NoAdaptation):
            facts["device_adaptation"] = asdict(burden(self.adaptation, spec.srm.width))
        if spec.generator is not None:
            # What was judged while they were trained is the device's model with heads that are new.
            judged = facts["srm"].pop("validation_ndcg_at_10")
            parameters = srm.parameters - own.parameters
            facts["generator"] = {
                "kind": spec.generator.kind,
                "parameters": parameters,
                "validation_ndcg_at_10": judged,
            }
            facts["parameter_bytes"] = self.parameter_bytes
        if self.pushed:
            facts["pushed"] = [self._of_weights(key) for key in self.pushed]
        if spec.llm is None or self.llm_key is None:
            return facts
        facts["llm"] = {"kind": spec.llm.kind, "weights": self.llm_key}
        if isinstance(spec.llm, LocalLlm | LocalT5):
            facts["llm"] |= weights.size_of_folder(spec.llm.path)
        else:
            llm = weights.read_facts(self.llm_key)
            assert llm is not None
            facts["llm"] |= {
                "parameters": llm.parameters,
                "validation_ndcg_at_10": llm.validation_ndcg_at_10,
                "epochs": llm.epochs,
            }
        return facts

    def _of_weights(self, key: str) -> dict[str, Any]:
        made = weights.read_facts(key)
        assert made is not None
        return {"weights": key, "validation_ndcg_at_10": made.validation_ndcg_at_10, "epochs": made.epochs}

    @property
    def learns(self) -> bool:
        """Whether a signal is learned from the data."""
        return any(name in learned.NAMES for name in self.signals)

    @property
    def _folder(self) -> Path:
        return home() / "outcomes" / self.key

    def parcel(self) -> weights.Parcel:
        """The weights, for a machine that may not have them; a local model of the scenario's has to be there."""
        return weights.pack([key for key in (self.srm_key, self.llm_key, *self.pushed) if key is not None])

    def unpack(self, parcel: weights.Parcel) -> None:
        """Keep here what another machine packed, unless it is kept already. Raises `WriteError`."""
        weights.unpack(parcel)

    def __getstate__(self) -> dict[str, Any]:
        """For another process: the outcomes come along, open models do not, and it says nothing."""
        state = {name: value for name, value in self.__dict__.items() if name not in {"_models", "_models_of_batches"}}
        state["_fitted"] = {}
        return {**state, "announce": _silent, "progress": False}

    @property
    def _seen(self) -> tuple[str, ...]:
        """The signals that devices compute."""
        beside = lsc4rec_code.SEEN if lsc4rec_code.NAME in self.signals else ()
        return tuple(sorted({name for name in self.signals if _of_one_device(name)} | set(beside)))

    def _function(self, name: str) -> Signal:
        return self._learned(name) if name in learned.NAMES else signal(name)

    def _learned(self, name: str) -> learned.Learned:
        """A learned signal: trained once for these models, whatever the precision of the outcomes, and kept."""
        return learned.opened(name, self._parameters(name))

    def _parameters(self, name: str) -> learned.Arrays:
        """What was learned, without opening it. Signals of one scenario are learned together, from the same pairs."""
        if name in self._fitted:
            return self._fitted[name]
        folder = home() / "learned" / self.learned_key
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / ".lock").acquire()
        except OSError as error:
            raise WriteError(f"{folder}: cannot be written ({error.strerror or error})") from error
        with lock:
            wanted = [each for each in self.signals if each in learned.NAMES]
            for each in wanted:
                try:
                    with np.load(io.BytesIO((folder / f"{each}.npz").read_bytes()), allow_pickle=False) as file:
                        self._fitted[each] = dict(file)
                except FileNotFoundError:
                    pass
                except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
                    self.announce(f"{folder / each}.npz: damaged ({error}); learned anew")
            missing = [each for each in wanted if each not in self._fitted]
            if missing:
                self.announce(f"learning from the validation part: {', '.join(missing)}")
                self._fitted.update(self._learn(missing))
            for each in missing:
                with atomic(folder / f"{each}.npz") as scratch, scratch.open("wb") as stream:
                    np.savez(stream, allow_pickle=False, **self._fitted[each])
        return self._fitted[name]

    def _learn(self, names: Sequence[str]) -> dict[str, learned.Arrays]:
        from models.pairs import pairs, span

        origin, steps = span(self.population)
        single = replace(self, spec=self.spec.model_copy(update={"precision": "float32"}))
        looked_at = sorted({each for name in names for each in learned.inputs(name)})
        blocks = single._blocks(origin, steps, {each: signal(each) for each in looked_at})
        material = pairs(self.population, blocks)
        return {name: learned.fit(name, material, blocks) for name in names}

    @cached_property
    def _models(self) -> tuple[Srm, Llm | None, Generator | None]:
        import torch

        items, kind = self.population.behaviour.n_items, getattr(torch, self.spec.precision)
        llm: Llm | None = None
        generator: Generator | None = None
        if self.spec.llm is not None and self.llm_key is not None:
            llm = trained.open_llm(items, self.spec.llm, self.llm_key).to(kind)
        if self.spec.generator is not None:
            generator = generators.open_generator(items, self.spec.srm, self.spec.generator, self.srm_key).to(kind)
            return generator.backbone, llm, generator
        srm: Srm = trained.open_srm(items, self.spec.srm, self.srm_key).to(kind)
        return srm, llm, None

    @cached_property
    def _models_of_batches(self) -> tuple[Srm, Llm | None, Generator | None]:
        """The same to make outcomes by: copies on an accelerator, where there is one and all that they meet can follow.

        What calls models one by one stays where it is: there an accelerator is slower, and oracles are best left alone.
        """
        import torch

        from models.accelerator import accelerator

        device = accelerator(getattr(torch, self.spec.precision))
        srm, llm, generator = self._models
        plain = isinstance(self.spec.llm, CausalLlm | LocalLlm) and isinstance(self.adaptation, NoAdaptation)
        if device.type == "cpu" or llm is None or generator is not None or self.learns or not plain:
            return self._models
        return deepcopy(srm).to(device), deepcopy(llm).to(device), None

    def _of_replay(self) -> Blocks:
        functions = {name: self._function(name) for name in self._seen}
        return self._blocks(self.population.replay_from, self.population.steps, functions)

    def _blocks(self, first: IntArray, steps: IntArray, functions: Mapping[str, Signal]) -> Blocks:
        from models.blocks import Blocks

        srm, llm, generator = self._models_of_batches
        behaviour = self.population.behaviour
        adapter = None
        if not isinstance(self.adaptation, NoAdaptation):
            from models.adaptation import Adapter

            adapter = Adapter(srm, self.adaptation, self.part)
        length = self.spec.list_length
        models = (srm, llm, self.fusion, self.part, length)
        return Blocks(behaviour, first, steps, *models, functions, adapter, generator)


def _of_one_device(signal: str) -> bool:
    """Whether a device could compute it by itself."""
    return signal != lsc4rec_code.NAME and not signal.startswith(PREFIX)


def _silent(text: str) -> None:
    """Announce nothing."""


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
        if name not in NAMES and name not in learned.NAMES and _of_one_device(name):
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
