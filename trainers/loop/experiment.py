"""The loop of training: a model, an optimizer, a source of batches, an objective, and hooks around each step.

The loop takes steps and knows nothing else: what a loss is is the objective's, where batches come from
the source's, and everything between steps is a hook's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from schemas.errors import CurateError
from trainers.loop.forward import beside_frozen, run_micro_batches
from trainers.loop.measures import by_part, memory_bytes, utilisation
from trainers.loop.optimizer import apply_gradients, gradient_norm, set_rate
from trainers.loop.position import Position
from trainers.loop.source import BatchSource
from trainers.model.config import ModelConfig
from trainers.objectives.objective import Objective, Told
from trainers.stage import TrainConfig


@dataclass
class Step:
    """A step that was taken, for hooks to look at and to add to.

    `first`, `size`: its samples. `values` go to the log. A hook sets `refused` where the gradient is
    not to be applied, `gone_back` where the run went back to an earlier position.
    """

    number: int
    first: int
    size: int
    told: Told
    norm: float
    losses: dict[str, dict[str, float]]
    tokens: dict[str, int]
    values: dict[str, Any] = field(default_factory=dict)
    refused: bool = False
    gone_back: bool = False


class Hook:
    """Something around steps; what a hook does not need it leaves as it is here."""

    def begin(self, run: Experiment) -> None:
        """Before the first step."""

    def wants_stop(self, run: Experiment) -> bool:
        """Whether this rank asks all ranks to stop after the next step."""
        return False

    def judge(self, run: Experiment, step: Step) -> None:
        """Gradients are ready and not yet applied."""

    def after(self, run: Experiment, step: Step) -> None:
        """The step is taken."""

    def went_back(self, run: Experiment) -> None:
        """The run is at an earlier position now."""

    def end(self, run: Experiment) -> None:
        """After the last step of this call, where nothing failed."""

    def close(self, run: Experiment) -> None:
        """At the end in any case."""


@dataclass
class Experiment:
    """Everything one process holds while it trains.

    `total` is the length of the schedule in steps, `last` the step to end this call with.
    """

    config: TrainConfig
    shape: ModelConfig
    vocabulary: int
    out: Path
    model: list[Any]
    optimizer: Any
    factors: list[tuple[float, float]]
    objective: Objective
    source: BatchSource
    position: Position
    total: int
    last: int
    hooks: Sequence[Hook]
    frozen: list[Any] = field(default_factory=list)
    asked_to_stop: bool = False
    stop_reason: str = "asked to stop"

    def train(self) -> None:
        """Take steps to the end."""
        for hook in self.hooks:
            hook.begin(self)
        for part in self.model:
            part.train()
        try:
            while self.position.step < self.last:
                step = self._step()
                if step.gone_back:
                    self._tell_gone_back()
                    continue
                for hook in self.hooks:
                    hook.after(self, step)
                if self.asked_to_stop:
                    break
            for hook in self.hooks:
                hook.end(self)
        finally:
            self.source.close()
            for hook in self.hooks:
                hook.close(self)

    def _step(self) -> Step:
        """One optimizer step."""
        number, config = self.position.step + 1, self.config
        size = config.batch.at(number)
        started, waited = time.perf_counter(), self.source.waited
        rate = set_rate(config, self.optimizer, self.factors, number, self.total)
        self.source.prepare(self.model, number)
        batches = self.source.micro_batches(config.micro_batches(number))
        prepared = looked = time.perf_counter()
        if self.objective.frozen:
            batches = beside_frozen(config, self.frozen, self.objective, batches)
            looked = time.perf_counter()
        for part in self.model:
            part.zero_grad_buffer()
        self.optimizer.zero_grad()
        stop = any(hook.wants_stop(self) for hook in self.hooks)
        tags = self.source.tags
        told = run_micro_batches(config, self.model, self.objective, batches, len(tags), False, stop)
        self.asked_to_stop = told.stop_asked
        step = self._judged(number, size, told)
        if not step.refused:
            apply_gradients(self.optimizer, step.norm, config.optimizer.clip, told.weight)
        if step.gone_back:
            return step
        self.position = replace(self.position, step=number, samples=step.first + size)
        seconds, tokens = time.perf_counter() - started, self.source.tokens(size)
        step.values = {
            "loss": told.mean,
            "grad_norm": step.norm,
            "learning_rate": rate,
            **({"tokens": self.position.samples * config.data.sequence_length} if self.source.windows else {}),
            "step_tokens": tokens,
            **self.objective.log(told),
            "first_sample": step.first,
            "batch": size,
            "seconds": seconds,
            "batch_seconds": prepared - started,
            **({"frozen_seconds": looked - prepared} if self.objective.frozen else {}),
            **self._speed(tokens, seconds),
            "data_wait_share": (self.source.waited - waited) / seconds,
            "memory_bytes": memory_bytes(),
            "loss_by": step.losses,
            **step.values,
        }
        return step

    def _judged(self, number: int, size: int, told: Told) -> Step:
        """The step with its gradient's norm, as the hooks let it stand."""
        first = self.position.samples
        if not told.weight:
            for hook in self.hooks:  # one that knows why tells it better
                hook.judge(self, Step(number, first, size, told, float("nan"), {"component": {}}, {}, refused=True))
            documents = self.source.documents(first, size)
            raise CurateError(
                f"step {number}: not one token of its batch is learned (documents {', '.join(documents[:5])}, …): "
                "their answers are masked; look at conversations.template of the recipe"
            )
        norm = gradient_norm(self.optimizer, told.weight)
        losses, tokens = by_part(told, self.source.tags)
        step = Step(number, first, size, told, norm, losses, tokens)
        for hook in self.hooks:
            hook.judge(self, step)
        return step

    def _speed(self, tokens: int, seconds: float) -> dict[str, float]:
        speed = tokens / seconds
        mfu = utilisation(self.config, self.shape, self.vocabulary, speed)
        return {"tokens_per_second": speed, "mfu": mfu}

    def _tell_gone_back(self) -> None:
        torch.distributed.barrier()
        for hook in self.hooks:
            hook.went_back(self)
        torch.distributed.barrier()
        self.source.go_on_from(self.position.samples)
