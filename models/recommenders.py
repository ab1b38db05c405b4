"""The recommenders of a scenario: trained if they are not yet, as a store of outcomes, as live models, and as facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models import generators, learned, lsc4rec_code, opened, weights
from models.catalogue import Part
from models.generators.wire import parameter_bytes
from models.layer import Layer
from models.learned.kept import learned_once
from models.lsc4rec_code import Batches
from models.oracle import PREFIX, Oracle
from models.outcomes import OutcomeStore, Tell
from models.signals import Signal, signal
from models.stages import changed_bytes
from models.trained import Announce
from models.versions import Versions
from scenarios.behaviour import IntArray
from scenarios.cache import atomic, content_key, home
from scenarios.population import Population
from scenarios.schema.adaptation import AnyAdaptation, NoAdaptation
from scenarios.schema.fleet import Fusion
from scenarios.schema.pushes import Pushes
from scenarios.schema.recommenders import CausalLlm, LocalLlm
from scenarios.schema.recommenders import Recommenders as Spec

if TYPE_CHECKING:
    from models.blocks import Blocks
    from models.generators.base import Generator
    from models.live import Live, LiveVersions
    from models.llms.base import Llm
    from models.srms.base import Srm

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
            told = {name: outcomes.at(name) for name in self.signals if not of_one_device(name)}
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
        from models.facts import facts

        return facts(self)

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
        state = {name: value for name, value in self.__dict__.items() if name not in {"_models", "models_of_batches"}}
        state["_fitted"] = {}
        return {**state, "announce": _silent, "progress": False}

    @property
    def _seen(self) -> tuple[str, ...]:
        """The signals that devices compute."""
        beside = lsc4rec_code.SEEN if lsc4rec_code.NAME in self.signals else ()
        return tuple(sorted({name for name in self.signals if of_one_device(name)} | set(beside)))

    def _function(self, name: str) -> Signal:
        return self._learned(name) if name in learned.NAMES else signal(name)

    def _learned(self, name: str) -> learned.Learned:
        """A learned signal: trained once for these models, whatever the precision of the outcomes, and kept."""
        return learned.opened(name, self._parameters(name))

    def _parameters(self, name: str) -> learned.Arrays:
        """What was learned, without opening it. Signals of one scenario are learned together, from the same pairs."""
        if name not in self._fitted:
            wanted = [each for each in self.signals if each in learned.NAMES]
            folder = home() / "learned" / self.learned_key
            self._fitted.update(learned_once(folder, wanted, self._learn, self.announce))
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
            llm = opened.open_llm(items, self.spec.llm, self.llm_key).to(kind)
        if self.spec.generator is not None:
            generator = generators.open_generator(items, self.spec.srm, self.spec.generator, self.srm_key).to(kind)
            return generator.backbone, llm, generator
        srm: Srm = opened.open_srm(items, self.spec.srm, self.srm_key).to(kind)
        return srm, llm, None

    @cached_property
    def models_of_batches(self) -> tuple[Srm, Llm | None, Generator | None]:
        """The same to make outcomes by: copies on an accelerator, where there is one and all that they meet can follow.

        What calls models one by one stays where it is: there an accelerator is slower, and oracles are best left alone.
        """
        import torch

        from models.accelerator import accelerator

        device = accelerator(getattr(torch, self.spec.precision))
        srm, llm, generator = self._models
        plain = isinstance(self.spec.llm, CausalLlm | LocalLlm) and isinstance(self.adaptation, NoAdaptation)
        if device == torch.device("cpu") or llm is None or generator is not None or self.learns or not plain:
            return self._models
        return deepcopy(srm).to(device), deepcopy(llm).to(device), None

    def _of_replay(self) -> Blocks:
        functions = {name: self._function(name) for name in self._seen}
        return self._blocks(self.population.replay_from, self.population.steps, functions)

    def _blocks(self, first: IntArray, steps: IntArray, functions: Mapping[str, Signal]) -> Blocks:
        from models.blocks import Blocks

        srm, llm, generator = self.models_of_batches
        behaviour = self.population.behaviour
        adapter = None
        if not isinstance(self.adaptation, NoAdaptation):
            from models.adaptation import Adapter

            adapter = Adapter(srm, self.adaptation, self.part)
        length = self.spec.list_length
        models = (srm, llm, self.fusion, self.part, length)
        return Blocks(behaviour, first, steps, *models, functions, adapter, generator)


def of_one_device(signal: str) -> bool:
    """Whether a device could compute it by itself."""
    return signal != lsc4rec_code.NAME and not signal.startswith(PREFIX)


def _silent(text: str) -> None:
    """Announce nothing."""
