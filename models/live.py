"""The models of a device, called one by one as it lives: the oracle of the batched outcomes.

Nothing is shared with `models.blocks` but the models themselves, the signals, and what the schema says: lists come from
each history by itself, the device's state from one `step` an item, and ranks from plain sorting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from models.catalogue import Part
from models.generators.base import Generator
from models.held import OWN, HeldSince
from models.live_adaptation import OwnHead
from models.llms.base import Llm, searching
from models.signals import Signal
from models.srms.base import Srm
from scenarios.behaviour import FloatArray, IntArray
from scenarios.population import Population
from scenarios.schema.adaptation import AnyAdaptation, NoAdaptation
from scenarios.schema.fleet import Fusion


@dataclass(frozen=True)
class Live:
    """Makes the live devices; fulfils `simulator.outcomes.LiveModels`.

    told: signals that no device could compute, looked up by (user, cut, step).
    """

    population: Population
    srm: Srm
    llm: Llm | None
    fusion: Fusion
    part: Part
    list_length: int
    signals: Mapping[str, Signal]
    told: Mapping[str, Callable[[int, int, int], float]] = field(default_factory=dict)
    adaptation: AnyAdaptation = field(default_factory=NoAdaptation)
    generator: Generator | None = None

    def device(self, user: int) -> Device:
        """A device that replays this user's stream and holds nothing yet."""
        return Device(self, user, self.population.behaviour.stream(user), int(self.population.replay_from[user]))


@dataclass
class Device:
    """The models of one device; fulfils `simulator.outcomes.LiveDevice`.

    user: whose. stream: the user's items. first: position of step 0 in it.
    """

    live: Live
    user: int
    stream: npt.NDArray[np.int32]
    first: int
    _seen: int = 0
    _memory: Any = None
    _head: OwnHead | None = None
    _state: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    _states: list[torch.Tensor] = field(default_factory=list)
    """Before every step from 0 to the one looked at."""
    _cut: int = -1
    _order: tuple[IntArray, FloatArray] | None = None
    """The cloud's order at the cut of the list held, and its scores: of the whole catalogue, the list being the head of
    it, or of the list alone where that is searched."""
    _parameters: torch.Tensor | None = None
    """Generated ones that are held."""

    @torch.no_grad()
    def look(self, step: int) -> None:
        """Bring the device's model to just before `step`, item by item; time does not run backwards."""
        srm = self.live.srm
        if self._memory is None:
            self._memory, spec = srm.start(1), self.live.adaptation
            if not isinstance(spec, NoAdaptation):
                self._head = OwnHead(srm, spec, self.live.part, self.stream, self.first)
        while self._seen < self.first + step:
            item = torch.tensor([int(self.stream[self._seen])], device=srm.items.weight.device)
            self._memory, self._state = srm.step(self._memory, item)
            if self._head is not None:
                self._state = self._head.adapt(self._state)
            self._seen += 1
            if self._seen >= self.first:
                self._states.append(self._state)

    def hold(self, cut: int) -> None:
        """Take the cloud's answer for this cut, made from its history alone; replaces what is held."""
        self._cut, self._order = cut, None
        history = self.stream[: self.first + cut]
        if self.live.generator is not None:
            with torch.no_grad():
                read = self.live.generator.history(torch.from_numpy(history.astype(np.int64))[None])
                self._parameters = self.live.generator.generate(read[:, -1])
        llm = self.live.llm
        if llm is None:
            return
        length = llm.n_items if searching(llm) is None else self.live.list_length
        (self._order,) = llm.candidates([history], length)

    def rank(self) -> int:
        """Rank of the true item of the step looked at, in what the device would show; 0 where it is not shown."""
        ids, scores = self._shown()
        found = np.flatnonzero(ids[np.argsort(-scores, kind="stable")][: self.live.list_length] == self._true)
        return int(found[0]) + 1 if len(found) else 0

    def margin(self) -> float:
        """How far the scores are from giving the true item another rank; infinite where no near tie could.

        The distance of the true item's score to the nearest other one shown, or, if it is less, of the last logit in
        the list held to the first outside. Places know no near scores: where they are fused, the nearest two of the
        scores that they are of count; and with a gate, how near any item is to it.
        """
        if self._true in self.stream[: self._seen]:
            return np.inf
        ids, scores = self._shown()
        own = scores[ids == self._true]
        gaps = np.abs(scores[ids != self._true] - own) if len(own) else own
        if self._order is not None:
            length, logits = self.live.list_length, self._order[1]
            gaps = np.concatenate([gaps, -np.diff(logits[length - 1 : length + 1])])
            if self.live.fusion.over != "scores":
                _, llm, srm = self._left()
                gaps = np.concatenate([gaps, np.diff(np.sort(llm)), np.diff(np.sort(srm))])
                if self.live.fusion.gate is not None:
                    gaps = np.concatenate([gaps, np.abs(np.abs(self._likelihoods(srm)) - self.live.fusion.gate)])
        return float(gaps.astype(np.float64).min(initial=np.inf))

    def signals(self) -> dict[str, float]:
        """The request signals at the step looked at; a list must be held."""
        ids, llm = self._list
        ids = np.pad(ids, (0, self._places - len(ids)), constant_values=-1)
        llm = np.pad(llm, (0, len(ids) - len(llm)))
        since = self.stream[self.first + self._cut : self._seen].tolist()
        taken = np.array([since.index(item) if item in since else -1 for item in ids.tolist()], np.int64)
        state, then = self._state, self._states[self._cut]
        srm = self._scores(np.maximum(ids, 0))
        own, chances = self._own_best()
        lacks = np.zeros(min(OWN, self.live.part.vectors), np.bool_)
        odds = np.zeros(len(lacks), srm.dtype)
        lacks[: len(own)], odds[: len(own)] = ~np.isin(own, ids[taken < 0]), chances
        held = HeldSince(
            torch.from_numpy(llm.astype(srm.dtype))[None],
            torch.from_numpy(srm)[None],
            torch.from_numpy((ids >= 0) & (taken < 0))[None],
            user=torch.tensor([self.user]),
            age=torch.tensor([len(since)]),
            then=torch.from_numpy(self._scores(np.maximum(ids, 0), then))[None],
            taken=torch.from_numpy(taken)[None],
            state=state,
            state_then=then,
            lacks=torch.from_numpy(lacks)[None],
            odds=torch.from_numpy(odds)[None],
        )
        told = {name: look_up(self.user, self._cut, len(since) + self._cut) for name, look_up in self.live.told.items()}
        return told | {name: float(function(held)) for name, function in self.live.signals.items()}

    def _own_best(self) -> tuple[IntArray, npt.NDArray[Any]]:
        """The device's own best items of what it holds of the catalogue, and the probabilities that it gives them."""
        if not self.live.part.vectors:
            return np.empty(0, np.int64), np.empty(0)
        ids = self._not_taken(self._seen)
        scores = self._scored(ids, self._state, None)
        order = np.argsort(-scores, kind="stable")
        odds = np.exp(scores - scores.max(initial=-np.inf))
        return ids[order][:OWN], (odds / odds.sum())[order][:OWN]

    @property
    def _true(self) -> int:
        return int(self.stream[self._seen])

    def _shown(self) -> tuple[IntArray, npt.NDArray[Any]]:
        """Ids and scores of what the device shows, ties in this order."""
        return self._alone() if self._order is None else self._fused()

    def _alone(self) -> tuple[IntArray, npt.NDArray[Any]]:
        part, ids = self.live.part, self._not_taken(self._seen)
        return ids, self._scores(ids) if part.vectors else -part.places[np.isin(part.ids, ids)]

    def _not_taken(self, seen: int) -> IntArray:
        """Of what the device holds of the catalogue."""
        ids = self.live.part.ids
        return ids[~np.isin(ids, self.stream[:seen])]

    @property
    def _list(self) -> tuple[IntArray, npt.NDArray[Any]]:
        """Ids and scores of the list held, best first: the cloud's, or else the best items by the parameters held, in
        the state that they were made for."""
        assert self._cut >= 0, "no list is held"
        if self._order is not None:
            return self._order[0][: self.live.list_length], self._order[1][: self.live.list_length]
        ids = self._not_taken(self.first + self._cut)
        scores = self._scores(ids, self._states[self._cut])
        order = np.argsort(-scores, kind="stable")[: self.live.list_length]
        return ids[order], scores[order]

    def _fused(self) -> tuple[IntArray, npt.NDArray[Any]]:
        ids, llm, srm = self._left()
        places = np.arange(len(ids))
        if self.live.fusion.over == "ranks":
            by_srm = np.argsort(-srm, kind="stable")
            llm, srm = -places.astype(srm.dtype), -places[np.argsort(by_srm)].astype(srm.dtype)
        elif self.live.fusion.over == "probabilities":
            llm, srm = -places.astype(srm.dtype) / self._places, self._likelihoods(srm)
            if self.live.fusion.gate is not None:
                srm[np.abs(srm) <= self.live.fusion.gate] = 0
        else:
            llm, srm = _standardised(llm), _standardised(srm)
        return ids, self.live.fusion.alpha * llm + (1 - self.live.fusion.alpha) * srm

    @property
    def _places(self) -> int:
        """Of a list, whether all of them are filled or not."""
        return min(self.live.list_length, len(self.live.part.ids) if self.live.llm is None else self.live.llm.n_items)

    def _likelihoods(self, srm: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The sigmoid of the device's own scores, standardised or not, minus 1/2."""
        return np.asarray(np.tanh((srm if self.live.fusion.raw else _standardised(srm)) / 2) / 2)

    def _left(self) -> tuple[IntArray, npt.NDArray[Any], npt.NDArray[Any]]:
        """Ids, LLM scores and SRM scores of what is left in the list, in the cloud's order."""
        ids, llm = self._list
        left = ~np.isin(ids, self.stream[: self._seen])
        srm = self._scores(ids[left])
        return ids[left], llm[left].astype(srm.dtype), srm

    def _scores(self, ids: IntArray, state: torch.Tensor | None = None) -> npt.NDArray[Any]:
        """The device's own scores, in the state it is in or another, with the parameters that it holds."""
        return self._scored(ids, self._state if state is None else state, self._parameters)

    def _scored(self, ids: IntArray, state: torch.Tensor, parameters: torch.Tensor | None) -> npt.NDArray[Any]:
        """The device's own scores in a state, with some parameters or none."""
        with torch.no_grad():
            if parameters is not None:
                assert self.live.generator is not None
                state = self.live.generator.personal(parameters, state[None])[0]
            candidates = torch.from_numpy(ids).to(state.device)[None]
            scores: npt.NDArray[Any] = self.live.srm.score(state, candidates)[0].cpu().numpy()
        return scores


@dataclass(frozen=True)
class LiveVersions:
    """The same for several versions of the device's model (`models.versions`); makes their live devices."""

    versions: Sequence[Live | LiveVersions]
    users: int

    def device(self, user: int) -> Device:
        """A device of the user that this number stands for, with the version of its model that it stands for."""
        version, of = divmod(user, self.users)
        return self.versions[version].device(of)


def _standardised(scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Mean 0 and deviation 1; 0 where all are alike."""
    if not len(scores) or scores.std() == 0:
        return np.zeros_like(scores)
    return np.asarray((scores - scores.mean()) / scores.std())
