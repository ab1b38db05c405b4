"""Training of either model on the histories, with early stopping on the validation part.

The Trainer of transformers does the work: AdamW at a constant rate, gradients clipped to norm 1, a checkpoint a pass,
so that a training that was stopped goes on where it was. What is judged and kept is a running mean of the weights: on
MovieLens-100K it lifts the language model's validation NDCG@10 from 0.080 to 0.084, and makes passes comparable. The
replay part never comes into this file's sight.
"""

from __future__ import annotations

import pickle
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from models.quiet import quiet
from models.srms.base import PAD
from models.validation import Trainable, Validation
from models.weights import Facts, size_of
from models.windows import Windows
from scenarios.cache import home
from scenarios.population import Population
from scenarios.schema.training import Training

LOOKS_BACK = 200
"""Batches over which the running mean of the weights looks back, or a tenth of those there were, if that is less."""

Model = TypeVar("Model", bound=Trainable)
Lesson = Callable[[Model, Tensor, Tensor], Tensor]
"""(model, [B, T] items, [B, T] places of these in the flat array of streams) -> mean loss over the targets."""


def running_mean(mean: Tensor, now: Tensor, batches: Tensor | int) -> Tensor:
    """The mean carried on by a batch; `batches` went before it."""
    return mean.lerp(now, max(1 / LOOKS_BACK, 10 / (10 + int(batches))))


def its_own(model: Trainable, items: Tensor, places: Tensor) -> Tensor:
    """The lesson of a model that learns by itself: its own loss."""
    return model.loss(items)


DAMAGE = (SafetensorError, OSError, ValueError, RuntimeError, KeyError, EOFError, pickle.UnpicklingError)
"""What comes of going on from a damaged checkpoint."""


class _DamageError(Exception):
    """What an earlier, stopped training left is damaged, or of another version of the libraries."""


class _Averaged(nn.Module):
    """A model and the running mean of its weights, together so that checkpoints hold both."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.now = model
        self.mean = AveragedModel(model, avg_fn=running_mean)


class _Trainer(Trainer):  # type: ignore[misc]
    """The Trainer, with a model that knows its own loss, and a metric of its own."""

    control: TrainerControl
    lesson: Lesson[Any]

    def compute_loss(self, model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
        # The windows of a batch are of about one length, so that batches hold unlike numbers of targets; each target is
        # to count the same, or the short streams would be learned best.
        targets = inputs["items"][:, 1:] != PAD
        loss = self.lesson(model.now, inputs["items"], inputs["places"])
        return loss * targets.sum() / self.train_dataset.targets_a_batch

    def evaluate(self, *rest: Any, **more: Any) -> dict[str, float]:
        mean = self.model.mean.module.eval()
        metrics = {"eval_ndcg_at_10": self.eval_dataset.ndcg_at_10(mean, self.args.device)}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class _Average(TrainerCallback):  # type: ignore[misc]
    """Carries the mean along."""

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, model: _Averaged, **rest: Any
    ) -> None:
        model.mean.update_parameters(model.now)


class _Bar(TrainerCallback):  # type: ignore[misc]
    """One line on the terminal: how far, and how good so far."""

    def __init__(self, label: str, silent: bool) -> None:
        self.bar = tqdm(desc=label, unit=" batches", disable=silent, leave=False)

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **rest: Any) -> None:
        self.bar.reset(state.max_steps)
        self.bar.update(state.global_step)

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **rest: Any) -> None:
        self.bar.update()

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **rest: Any) -> None:
        self.bar.set_postfix_str(f"validation NDCG@10 {rest['metrics']['eval_ndcg_at_10']:.4f}")


def train(
    make: Callable[[], Model],
    population: Population,
    window: int,
    spec: Training,
    key: str,
    label: str,
    silent: bool,
    lesson: Lesson[Model] = its_own,
    beside: Sequence[TrainerCallback] = (),
) -> tuple[Model, Facts]:
    """Make a model and train it; the pass with the best validation NDCG@10 is kept.

    make: builds the untrained model from the random state it meets. window: items in a training window. key: names this
    training in the cache, where it goes on if it was stopped. lesson: what it learns by. beside: what else goes on
    while it trains. Global random states are as before afterwards.
    Raises `ModelError` where training diverges.
    """
    folder = home() / "training" / key
    rest = (population, window, spec, folder, label, silent, lesson, beside)
    try:
        return _train(make, *rest)
    except _DamageError:
        shutil.rmtree(folder, ignore_errors=True)
        return _train(make, *rest)


def _train(
    make: Callable[[], Model],
    population: Population,
    window: int,
    spec: Training,
    folder: Path,
    label: str,
    silent: bool,
    lesson: Lesson[Model],
    beside: Sequence[TrainerCallback],
) -> tuple[Model, Facts]:
    began = time.monotonic()
    with quiet(), _own_randomness(spec.seed):
        model = make()
        averaged = _Averaged(cast(nn.Module, model))
        validation = Validation(population, model.JUDGED)
        settings = TrainingArguments(
            output_dir=str(folder),
            num_train_epochs=spec.epochs,
            per_device_train_batch_size=1,  # of `Windows`, whose members are whole batches
            learning_rate=spec.learning_rate,
            lr_scheduler_type="constant",
            weight_decay=0.01,
            adam_beta2=0.98,
            max_grad_norm=1.0,
            seed=spec.seed,
            eval_strategy="epoch",
            save_strategy="epoch",
            save_total_limit=1,
            load_best_model_at_end=True,
            metric_for_best_model="ndcg_at_10",
            greater_is_better=True,
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_pin_memory=torch.cuda.is_available(),
        )
        settings._n_gpu = min(settings.n_gpu, 1)  # models this small gain nothing from being copied to several devices
        bar = _Bar(label, silent)
        trainer = _Trainer(
            model=averaged,
            args=settings,
            train_dataset=Windows(population, window, spec.batch_size, spec.seed),
            eval_dataset=validation,
            data_collator=lambda batches: batches[0],
            callbacks=[*beside, _Average(), EarlyStoppingCallback(spec.patience), bar],
        )
        trainer.lesson = lesson
        trainer.remove_callback(PrinterCallback)
        left = _last_checkpoint(folder)
        try:
            trainer.train(resume_from_checkpoint=left)
        except (
            SafetensorError,
            OSError,
            ValueError,
            RuntimeError,
            KeyError,
            EOFError,
            pickle.UnpicklingError,
        ) as error:
            if left is None or trainer.state.global_step > _steps_at(left):
                raise  # what this training has reached so far is whole, and kept
            raise _DamageError from error
        finally:
            bar.bar.close()
        passes = round(trainer.state.epoch or 0)
        best = float(trainer.state.best_metric or 0.0)
    shutil.rmtree(folder, ignore_errors=True)
    trained = averaged.mean.module.cpu().eval()
    facts = Facts(validation_ndcg_at_10=best, epochs=passes, seconds=time.monotonic() - began, **size_of(trained))
    return cast(Model, trained), facts


def _last_checkpoint(folder: Path) -> str | None:
    """The latest checkpoint that was written to its end; its state is what the Trainer writes last."""
    finished = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    return max(map(str, finished), key=_steps_at) if finished else None


def _steps_at(checkpoint: str) -> int:
    return int(checkpoint.rsplit("-", 1)[1])


@contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """The Trainer seeds every global generator there is; afterwards they are as they were."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
