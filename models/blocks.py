"""Outcomes in large batches: every stream is encoded once, and each list meets the steps that may see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.adaptation import Adapter
from models.catalogue import Part
from models.fusion import fuse, rank_in
from models.generators.base import Generator
from models.held import OWN, Held, HeldSince
from models.lists import Kept, lists_after
from models.llms.base import Llm
from models.outcomes import Tell, rounded
from models.own_part import CELLS, OwnPart
from models.ranking import consumed
from models.reading import spans
from models.signals import OF_CATALOGUE, Signal
from models.srms.base import Srm
from models.states import States, Steps
from scenarios.behaviour import Behaviour, IntArray
from scenarios.schema.fleet import Fusion

TRIPLES = 8192
"""(user, cut, step) in a batch: their lists' scores then stay in the processor's caches."""
KEPT = 16_000_000
"""Items of lists that are remembered for further steps that may see them: 128 MB."""
ROWS = 16
"""Lists that are made together, be their catalogue ever so large: its vectors are not read for a few lists only."""

FloatArray = npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True)
class Made:
    """Outcomes of many runs of steps, one after the other: ranks, and values of each signal."""

    ranks: npt.NDArray[np.uint16]
    signals: dict[str, FloatArray]


class Blocks:
    """Makes outcomes over one part of every stream: the replay, or the validation part.

    first: [users] position in the stream of the part's step 0, at least 1. steps: [users] steps in the part.
    All models compute in the precision, and on the device, that their weights have. generator: what makes parameters,
    where the cloud sends some; `srm` is its backbone then. Where there is no LLM, the list held is what the device
    itself makes with the parameters when they are new: the best items of its own part of the catalogue, scored as then.
    """

    def __init__(
        self,
        behaviour: Behaviour,
        first: IntArray,
        steps: IntArray,
        srm: Srm,
        llm: Llm | None,
        fusion: Fusion,
        part: Part,
        list_length: int,
        signals: Mapping[str, Signal],
        adapter: Adapter | None = None,
        generator: Generator | None = None,
    ) -> None:
        self._steps = Steps(behaviour.items, behaviour.offsets[:-1], first, steps)
        self._srm, self._llm, self._fusion, self._part = srm, llm, fusion, part
        self._length = min(list_length, behaviour.n_items)
        self._signals = signals
        self._device = srm.items.weight.device
        self._on_device = States(srm, self._steps, adapter)
        kept = 0 if OF_CATALOGUE.isdisjoint(signals) else OWN
        self._own = OwnPart(part, srm, self._steps, self._on_device, behaviour.n_items, self._length, kept)
        self._generator = generator
        self._in_cloud = [] if llm is None else [States(llm, self._steps)]
        self._kept = Kept(int(steps.sum()), self._length, KEPT // self._length, srm.items.weight)
        self._read = [] if generator is None else [States(generator.cloud, self._steps)]

    @torch.no_grad()
    def held(
        self, users: IntArray, cuts: IntArray, stops: IntArray, tell: Tell | None = None, starts: IntArray | None = None
    ) -> Made:
        """Outcomes of (users[i], cuts[i], step) for starts[i] <= step < stops[i], where the list of that cut is held.

        starts: the cuts where absent.
        """
        skipped = np.zeros_like(cuts) if starts is None else starts - cuts
        counts = stops - cuts - skipped
        places = np.cumsum(counts) - counts
        ranks = np.zeros(counts.sum(), np.uint16)
        dtype = np.float64 if self._srm.items.weight.dtype == torch.float64 else np.float32
        signals: dict[str, FloatArray] = {name: np.zeros(counts.sum(), dtype) for name in self._signals}
        self._encode(users)
        self._own.choose(users)
        # Runs of few lengths, so that batches are large: a shorter one repeats its last step. The length follows from
        # the run alone, not from the others in its batch, as the last bit of a score may follow from the length.
        sizes = np.where(skipped > 0, rounded(counts), 1 + rounded(counts - 1))
        order = np.lexsort((sizes, skipped))
        edges = np.flatnonzero(np.diff(skipped[order]) | np.diff(sizes[order])) + 1
        for group in np.split(order, edges) if len(order) else []:
            size, skip = int(sizes[group[0]]), int(skipped[group[0]])
            batches = -(-len(group) * size // TRIPLES)
            if self._generator is not None:
                batches = max(batches, -(-len(group) * self._generator.floats // CELLS))
            for rows in np.array_split(group, batches):
                # What happens at the step of the list itself is what signals compare with.
                ages = np.append(np.arange(min(skip, 1)), np.arange(skip, skip + size))
                made = self._batch(users[rows], cuts[rows], ages, stops[rows])
                real = (np.arange(len(ages)) >= bool(skip)) & (ages < (stops - cuts)[rows][:, None])
                into = (places[rows][:, None] + ages - skip)[real]
                ranks[into] = made.ranks[real.ravel()]
                for name, values in made.signals.items():
                    signals[name][into] = values[real.ravel()]
                if tell is not None:
                    tell(len(into))
        return Made(ranks, signals)

    def _batch(self, users: IntArray, cuts: IntArray, ages: IntArray, stops: IntArray) -> Made:
        """The same for rows [R] that are looked at after as many clicks, the first of them 0: [R * ages] outcomes.

        Where a row stops before, it repeats its last step.
        """
        size = len(ages)
        last = (stops - cuts - 1)[:, None]
        begins = self._steps.base[users] + cuts
        steps = (begins[:, None] + np.minimum(ages, last)).ravel()
        states = self._on_device.at(steps)
        runs = states.view(len(users), size, *states.shape[1:])
        if self._generator is not None:
            (read,) = self._read
            runs = self._generator.personal(self._generator.generate(read.at(begins)), runs)
        ids, llm = self._lists(users, cuts) if self._in_cloud else self._own.lists(users, cuts, runs[:, 0])
        srm = self._srm.score_runs(runs, ids.clamp(min=0))
        span = np.arange(int(ages[-1]) + 1)
        taken = self._tensor(self._steps.items[self._steps.at(users, cuts)[:, None] + np.minimum(span, last)])
        run, step, column = (ids.int()[:, None, :] == taken[:, :, None]).nonzero(as_tuple=True)
        # [R, L] after how many clicks an item is first taken, more than there are where it is not. It is left at a step
        # if it was not taken at an earlier one; what was consumed before is in no list.
        first = torch.full(ids.shape, len(span), device=self._device)
        first.view(-1).scatter_reduce_(0, run * ids.shape[1] + column, step, "amin")
        age = self._tensor(ages)
        left = ((ids >= 0)[:, None, :] & (first[:, None, :] >= age[:, None])).flatten(0, 1)
        held = Held(llm[:, None, :].expand(srm.shape).flatten(0, 1), srm.flatten(0, 1), left)
        if self._in_cloud:
            seen = torch.searchsorted(age, step)
            there = (step == first[run, column]) & (age[seen] == step)
            ranks = self._fused_ranks(held, (run * size + seen)[there], column[there])
        else:
            whose, when = np.repeat(users, size), (cuts[:, None] + np.minimum(ages, last)).ravel()
            ranks = self._own.ranks(whose, when, runs.flatten(0, 1))
        if not self._signals:
            return Made(ranks, {})
        since = self._since(users, held, ids, states, first, age, steps)
        return Made(ranks, {name: function(since).cpu().numpy() for name, function in self._signals.items()})

    def _fused_ranks(self, held: Held, rows: Tensor, columns: Tensor) -> npt.NDArray[np.uint16]:
        """[N] ranks; rows, columns: where the true item is in the list, and left there."""
        ranks = np.zeros(len(held.left), np.uint16)
        if len(rows):
            fewer = held.pick(rows)
            ranks[rows.cpu().numpy()] = rank_in(fewer, fuse(fewer, self._fusion), columns).cpu().numpy()
        return ranks

    def _since(
        self, users: IntArray, held: Held, ids: Tensor, states: Tensor, first: Tensor, age: Tensor, steps: IntArray
    ) -> HeldSince:
        """What is held in runs that are looked at after as many clicks, the first of them 0, and what has been since.

        first: [R, L] after how many clicks an item is taken, more than the last of age where it is not.
        """
        size = len(age)

        def of_first(values: Tensor) -> Tensor:
            """[R * size, ...] values -> the same, each that of its run's first step."""
            return values[::size].repeat_interleave(size, 0)

        when = first[:, None, :]
        taken = when.where(when < age[:, None], -1).flatten(0, 1)
        own = self._own.best[self._tensor(steps)].long()
        return HeldSince(
            held.llm,
            held.srm,
            held.left,
            user=self._tensor(users).repeat_interleave(size, 0),
            age=age.repeat(len(ids)),
            then=of_first(held.srm),
            taken=taken,
            state=states,
            state_then=of_first(states),
            lacks=(own >= 0) & ~_left_in(held.left, ids, own),
            odds=self._own.odds[self._tensor(steps)],
        )

    def _lists(self, users: IntArray, cuts: IntArray) -> tuple[Tensor, Tensor]:
        """([R, L] ids best first, -1 where there are no more; [R, L] scores, 0 there)."""
        places = self._tensor(self._steps.base[users] + cuts)
        kept = self._kept.has(places)
        known, new = torch.nonzero(kept)[:, 0], torch.nonzero(~kept)[:, 0]
        if not len(new):
            return self._kept.get(places)
        rows = new.cpu().numpy()
        ids, scores = self._new_lists(users[rows], cuts[rows])
        if len(known):
            of_known = self._kept.get(places[known])
            order = torch.cat([known, new]).argsort()
            both = [torch.cat(pair)[order] for pair in zip(of_known, (ids, scores), strict=True)]
            self._kept.put(places[new], ids, scores)
            return both[0], both[1]
        self._kept.put(places, ids, scores)
        return ids, scores

    def _new_lists(self, users: IntArray, cuts: IntArray) -> tuple[Tensor, Tensor]:
        """The same, made."""
        assert self._llm is not None
        (in_cloud,) = self._in_cloud
        made = []
        for chunk in np.array_split(np.arange(len(users)), -(-len(users) // max(CELLS // self._llm.n_items, ROWS))):
            states = in_cloud.at(self._steps.base[users[chunk]] + cuts[chunk])
            begins = self._steps.streams[users[chunk]]
            rows, gone = map(
                self._tensor, consumed(self._steps.items, begins, self._steps.at(users[chunk], cuts[chunk]))
            )
            made.append(lists_after(self._llm, states, rows, gone, self._length))
        ids, scores = (torch.cat(column) for column in zip(*made, strict=True))
        return ids, scores

    def states(self, users: IntArray, steps: IntArray) -> Tensor:
        """[N, ...] states of the device's model before these steps of users whose outcomes were made."""
        return self._on_device.at(self._steps.base[users] + steps)

    @torch.no_grad()
    def taken(self, users: IntArray, steps: IntArray) -> Tensor:
        """[N, width] vectors of the items taken at these steps."""
        vectors: Tensor = self._srm.items(
            self._tensor(self._steps.items[self._steps.at(users, steps)].astype(np.int64))
        )
        return vectors

    @torch.no_grad()
    def alone(self, users: IntArray, stops: IntArray, tell: Tell | None = None) -> npt.NDArray[np.uint16]:
        """Ranks at the steps before stops[i] of users[i] where no list is held: the device's own part of the catalogue.

        No user twice.
        """
        if not self._part.vectors:
            return self._own.popular(users, stops, tell)
        self._on_device.encode(users, self._device)
        return self._own.ranks(np.repeat(users, stops), spans(np.zeros_like(stops), stops), None, tell)

    def _encode(self, users: IntArray) -> None:
        for states in (self._on_device, *self._in_cloud, *self._read):
            states.encode(users, self._device)

    def _tensor(self, values: IntArray) -> Tensor:
        return torch.from_numpy(values).to(self._device)


def _left_in(left: Tensor, ids: Tensor, items: Tensor) -> Tensor:
    """([R * S, L] what is left in the lists, [R, L] their ids, [R * S, K] items) -> [R * S, K] whether these are."""
    in_order, columns = ids.sort(1)
    flat = items.view(len(ids), items.numel() // len(ids))
    places = torch.searchsorted(in_order, flat).clamp(max=ids.shape[1] - 1)
    there = (in_order.gather(1, places) == flat).view(items.shape)
    return there & left.gather(1, columns.gather(1, places).view(items.shape))
