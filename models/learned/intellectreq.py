"""IntellectReq (Lv et al., WWW 2024, arXiv 2302.07335): ask where the answer held is about to be wrong.

Two networks on the device read the state of its own model now and when the list came. The *distribution mapper* draws
several guesses of the next item's vector; how far they lie apart is the uncertainty. The *mis-recommendation detector*
reads both states and the uncertainty, and gives the probability that what is shown is wrong: `misjudgement`.
`uncertainty` is the mapper alone, a baseline of the paper.

Sizes and stages follow the released code (first the mapper, then the detector on the frozen mapper). Unlike there,
the shared encoder is the device's own SRM as it is; a wrong answer is one whose first 10 places lack the true item;
draws are normal, always the same ones; the uncertainty is their variance between draws, as in the paper's text; and
thresholds come from the validation part.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.blocks import Blocks
from models.held import HeldSince
from models.learned import FOLDS, Arrays, Learned
from models.pairs import Pairs
from scenarios.errors import ModelError

INPUTS: dict[str, tuple[str, ...]] = {"misjudgement": (), "uncertainty": ()}

HIDDEN = 16
DRAWS = 10
UPDATES = 1600
"""With fewer, or a lower rate, the detector tells little apart even where states say it all."""
BATCH = 1024
LEARNING_RATE = 5e-3
ROWS = 100_000
"""At most so many pairs are learned from."""


class Network(nn.Module):
    """Mapper and detector over states of a width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.tower = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, width))
        self.prior = Mapper(width, width)
        self.posterior = Mapper(2 * width, width)
        self.guess = nn.Linear(2 * width, width)
        self.compare = nn.Linear(2 * width, 1)
        self.judge = nn.Linear(2, 1)
        self.register_buffer("draws", torch.randn(DRAWS, HIDDEN))

    def uncertainty(self, now: Tensor) -> Tensor:
        """[N, width] states -> [N] variance of the guessed vector between draws, summed over its dimensions.

        A guess is linear in its draw, whose only part that differs is scaled by the deviations, so that the variance is
        a quadratic form in these: nothing has to be drawn on the device.
        """
        _, deviation = self.prior(self.tower(now))
        draws: Tensor = self.draws  # type: ignore[assignment]
        onward = self.guess.weight[:, now.shape[1] :] @ self.prior.out.weight
        form = (onward.T @ onward) * torch.cov(draws.T)
        apart: Tensor = ((deviation @ form) * deviation).sum(-1)
        return apart

    def guesses(self, now: Tensor) -> Tensor:
        """[N, width] states -> [DRAWS, N, width] vectors that the next item may have."""
        inner = self.tower(now)
        mean, deviation = self.prior(inner)
        draws: Tensor = self.draws  # type: ignore[assignment]
        hidden = self.prior.out(mean + deviation * draws[:, None])
        guessed: Tensor = self.guess(torch.cat([inner.expand(len(draws), *inner.shape), hidden], -1))
        return guessed

    def forward(self, now: Tensor, then: Tensor) -> Tensor:
        """[N, width] states now and when the list came -> [N] log-odds that what is shown is wrong."""
        change = self.compare(torch.cat([self.tower(then), self.tower(now)], -1)).tanh()
        logits: Tensor = self.judge(torch.cat([change, self.uncertainty(now)[:, None]], -1))
        return logits[:, 0]

    def mapping_loss(self, now: Tensor, true: Tensor, other: Tensor) -> Tensor:
        """[N, width] states, vectors of the true items and of others -> how badly the posterior's guesses tell them
        apart, and how far it lies from the prior (signed by the label, as in the released code)."""
        inner, total = self.tower(now), now.new_zeros(())
        mean, deviation = self.prior(inner)
        prior = torch.distributions.Normal(mean, deviation)
        for item, label in ((true, 1.0), (other, 0.0)):
            posterior = torch.distributions.Normal(*self.posterior(torch.cat([inner, item], -1)))
            hidden = self.posterior.out(posterior.rsample())
            logit = (self.guess(torch.cat([inner, hidden], -1)) * item).sum(-1)
            total = total + functional.binary_cross_entropy_with_logits(logit, torch.full_like(logit, label))
            apart = torch.distributions.kl_divergence(posterior, prior).sum(-1).mean()
            total = total + (apart if label else (1 - apart).relu())
        return total


class Mapper(nn.Module):
    """A Gaussian of what is behind some behaviour."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, HIDDEN)
        self.mean, self.log_variance = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        self.out = nn.Linear(HIDDEN, width)

    def forward(self, given: Tensor) -> tuple[Tensor, Tensor]:
        """[N, inputs] -> ([N, HIDDEN] means, [N, HIDDEN] deviations)."""
        inner = self.first(given).tanh()
        return self.mean(inner), (self.log_variance(inner).clamp(-6, 6) / 2).exp()


class Model(Learned):
    """Arrays: the parameters of `Network` that inference needs, and width and scale of the states."""

    def __init__(self, name: str, arrays: Arrays) -> None:
        super().__init__(name, arrays)
        width = arrays["tower.0.weight"].shape[-1]
        self._networks = []
        for fold in range(FOLDS):
            network = Network(width).double()
            own = {part: torch.from_numpy(values[fold]) for part, values in arrays.items() if part != "scale"}
            network.load_state_dict(own, strict=False)
            self._networks.append(network.eval())

    def __call__(self, held: HeldSince) -> Tensor:
        """[N] log-odds, or variances."""
        values = held.llm.new_zeros(len(held.age), dtype=torch.float64)
        with torch.no_grad():
            for fold in np.unique(held.user.cpu().numpy() % FOLDS).tolist():
                network, rows = self._networks[fold], held.user % FOLDS == fold
                scale = float(self.arrays["scale"][fold])
                now, then = (state[rows].double() / scale for state in (held.state, held.state_then))
                values[rows] = network(now, then) if self.name == "misjudgement" else network.uncertainty(now)
        return values.to(held.llm.dtype)


def fit(name: str, pairs: Pairs, blocks: Blocks, seed: int) -> Arrays:
    """One fold's arrays. Raises `ModelError` where the device's model keeps no vector for its state."""
    rows = np.random.default_rng(seed).permutation(len(pairs.users))[:ROWS]
    users, steps = pairs.users[rows], pairs.steps[rows]
    now, then = blocks.states(users, steps).float(), blocks.states(users, pairs.cuts[rows]).float()
    true, wrong = blocks.taken(users, steps).float(), torch.from_numpy(~pairs.hit[rows]).float()
    if now.shape != true.shape:
        raise ModelError(f"recommenders.srm.kind: the signal {name} needs a device model whose state is a vector")
    scale = float(now.std()) or 1.0
    now, then, true = now / scale, then / scale, true / (float(true.std()) or 1.0)
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(seed)
        network = Network(now.shape[1])

        def run(loss: object, parameters: list[nn.Parameter]) -> None:
            optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE)
            for _ in range(UPDATES):
                optimizer.zero_grad()
                loss(torch.randint(len(now), (BATCH,))).backward()  # type: ignore[operator]
                optimizer.step()

        run(
            lambda batch: network.mapping_loss(now[batch], true[batch], true[batch.roll(1)]),
            list(network.parameters()),
        )
        run(
            lambda batch: functional.binary_cross_entropy_with_logits(network(now[batch], then[batch]), wrong[batch]),
            [*network.compare.parameters(), *network.judge.parameters()],
        )
    unused = ("posterior.", "compare.", "judge.") if name == "uncertainty" else ("posterior.",)
    kept = {part: value.numpy() for part, value in network.state_dict().items() if not part.startswith(unused)}
    return {**kept, "scale": np.float32(scale)}
