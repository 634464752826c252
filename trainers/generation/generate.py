"""Answers to prompts by continuous batching: a slot whose answer has ended takes the next one at once.

All samples of a prompt share its reading. The work is one row of tokens a step through the model as it is
laid out, tensor- and pipeline-parallel ranks together; context-parallel ranks hold the same weights and do
the same work, each with the whole row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from megatron.core import parallel_state
from megatron.core.tensor_parallel import gather_from_tensor_model_parallel_region

from trainers.generation.cache import Cache
from trainers.generation.limits import Limits
from trainers.generation.row import from_the_last, row_output
from trainers.generation.sampling import Sampling, draw, uniform
from trainers.parallel.watchdog import tick


@dataclass(frozen=True)
class Asked:
    """A prompt to answer: its tokens, its number (part of the randomness), and which samples of it."""

    ids: tuple[int, ...]
    number: int
    samples: range


@dataclass
class Answer:
    """A sampled answer: tokens with their log-probabilities, and whether it ended by itself."""

    prompt: int
    sample: int
    ids: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    ended: bool = False


READ_TOKENS: Final = 2048  # of prompts in one row, unless one prompt alone is longer
Read = list[tuple[torch.Tensor, torch.Tensor]]


@dataclass
class _Slot:
    answer: Answer
    place: int  # of the next token, counted from the prompt's first
    token: int  # the last one of the answer
    prompt: tuple[int, ...] = ()
    forced: list[int] = field(default_factory=list)  # tokens that come next, whatever would be drawn


def generate(
    model: Sequence[Any],
    asked: Sequence[Asked],
    sampling: Sampling,
    ends: frozenset[int],
    vocabulary: int,
    seed: int,
    step: int,
    slots: int = 64,
    limits: Limits | None = None,
) -> list[Answer]:
    """Answers to all prompts, ordered by prompt and sample.

    Args:
        model: this process's parts of a model, in evaluation or training mode, alike.
        ends: tokens that end an answer; the one that does is part of it.
        vocabulary: columns of logits that are tokens.
        slots: answers sampled side by side.
        limits: what else ends an answer or a thought.
    """
    wanted = sum(len(one.samples) for one in asked)
    if not wanted:
        return []
    length = max(len(one.ids) for one in asked) + sampling.max_tokens
    engine = _Engine(model, sampling, ends, vocabulary, seed, step, min(slots, wanted), length, limits)
    training = model[0].training
    for part in model:
        part.eval()
    try:
        with torch.no_grad(), engine.cache:
            answers = engine.run(asked)
    finally:
        for part in model:
            part.train(training)
    return sorted(answers, key=lambda one: (one.prompt, one.sample))


class _Engine:
    def __init__(
        self, model: Sequence[Any], sampling: Sampling, ends: frozenset[int], vocabulary: int,
        seed: int, step: int, slots: int, length: int, limits: Limits | None,
    ) -> None:  # fmt: skip
        self.model, self.sampling, self.ends, self.vocabulary = model, sampling, ends, vocabulary
        self.seed, self.step, self.slots, self.limits = seed, step, slots, limits
        self.cache = Cache(model, slots, length)
        self.running: list[_Slot] = []
        self.done: list[Answer] = []
        self.multiple = parallel_state.get_tensor_model_parallel_world_size()
        self.draws = parallel_state.is_pipeline_last_stage(ignore_virtual=True)
        self.device = next(model[0].parameters()).device

    def run(self, asked: Sequence[Asked]) -> list[Answer]:
        waiting = [(one, sample) for one in asked for sample in one.samples]
        read: dict[int, tuple[Read, torch.Tensor | None]] = {}
        left = Counter(one.number for one, _ in waiting)
        at = 0
        while at < len(waiting) or self.running:
            room = self.slots - len(self.running)
            beginning = waiting[at : at + room]
            at += len(beginning)
            if beginning:
                self._read({one.number: one for one, _ in beginning if one.number not in read}, read)
                self._begin(beginning, read)
                for one, _ in beginning:
                    left[one.number] -= 1
                    if not left[one.number]:
                        del read[one.number]
            if self.running:
                tick(f"sampling token {len(self.running[0].answer.ids)} of prompt {self.running[0].answer.prompt}")
                self._go_on()
        return self.done

    def _read(self, new: dict[int, Asked], read: dict[int, tuple[Read, torch.Tensor | None]]) -> None:
        """Read prompts, each once, packed into rows that bound the memory of their logits."""
        row: list[Asked] = []
        for one in new.values():
            if row and sum(len(each.ids) for each in row) + len(one.ids) > READ_TOKENS:
                self._read_row(row, read)
                row = []
            row.append(one)
        if row:
            self._read_row(row, read)

    def _read_row(self, prompts: Sequence[Asked], read: dict[int, tuple[Read, torch.Tensor | None]]) -> None:
        lengths = [len(one.ids) for one in prompts]
        padding = -sum(lengths) % self.multiple
        tokens = [token for one in prompts for token in one.ids] + [0] * padding
        places = [place for length in lengths for place in range(length)] + list(range(padding))
        owners = [number for number, length in enumerate(lengths) for _ in range(length)] + [len(lengths)] * padding
        self.cache.reading([*lengths, padding] if padding else lengths)
        logits = self._logits(tokens, places, torch.tensor([owners], device=self.device))
        last = np.cumsum(lengths) - 1
        for number, (one, kept) in enumerate(zip(prompts, self.cache.taken(), strict=False)):
            read[one.number] = (kept, None if logits is None else logits[last[number]].clone())

    def _begin(self, beginning: list[tuple[Asked, int]], read: dict[int, tuple[Read, torch.Tensor | None]]) -> None:
        """Draw the first token of each answer into a free slot."""
        started = [_Slot(Answer(one.number, sample), len(one.ids) - 1, -1, one.ids) for one, sample in beginning]
        firsts = [read[one.number][1] for one, _ in beginning]
        self._drawn(started, torch.stack([one for one in firsts if one is not None]) if self.draws else None)
        for slot, (one, _) in zip(started, beginning, strict=True):
            if not self._ended(slot):
                self.cache.fill(len(self.running), read[one.number][0])
                self.running.append(slot)

    def _go_on(self) -> None:
        """One more token for every answer that has not ended."""
        places = [slot.place for slot in self.running]
        tokens = [slot.token for slot in self.running]
        padding = -len(tokens) % self.multiple
        self.cache.going_on(torch.tensor(places, device=self.device))
        logits = self._logits(tokens + [0] * padding, places + [0] * padding, None)
        self._drawn(self.running, None if logits is None else logits[: len(self.running)])
        ended = [number for number, slot in enumerate(self.running) if self._ended(slot)]
        for number in reversed(ended):  # the last one running takes its place
            last = self.running.pop()
            if number < len(self.running):
                self.running[number] = last
                self.cache.move(number, len(self.running), last.place)

    def _logits(self, tokens: list[int], places: list[int], owners: torch.Tensor | None) -> torch.Tensor | None:
        """Logits of one row of tokens, (tokens, vocabulary), equal on all ranks of the pipeline's last stage."""
        ids, positions = (torch.tensor([one], device=self.device) for one in (tokens, places))
        told = row_output(self.model, ids, positions, owners)
        if told is None:
            return None
        return gather_from_tensor_model_parallel_region(told)[0, :, : self.vocabulary].float()

    def _drawn(self, slots: list[_Slot], logits: torch.Tensor | None) -> None:
        """Draw the next token of each slot, on the ranks that have logits, and tell the others."""
        tokens = torch.zeros(len(slots), dtype=torch.long, device=self.device)
        told = torch.zeros(len(slots), device=self.device)
        if logits is not None:
            tokens, told = self._draw(slots, logits)
        for slot, token, log_probability in zip(
            slots, from_the_last(tokens).tolist(), from_the_last(told).tolist(), strict=True
        ):
            if slot.forced:
                token, log_probability = slot.forced.pop(0), float("nan")
            slot.token = token
            slot.place += 1
            slot.answer.ids.append(token)
            slot.answer.log_probabilities.append(log_probability)

    def _draw(self, slots: list[_Slot], logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        numbers = uniform(
            self.seed,
            self.step,
            np.array([slot.answer.prompt for slot in slots], dtype=np.int64),
            np.array([slot.answer.sample for slot in slots], dtype=np.int64),
            np.array([len(slot.answer.ids) for slot in slots], dtype=np.int64),
        )
        tokens, told = draw(logits, self.sampling, numbers)
        if self.multiple > 1:  # ranks that gather the same numbers draw the same; a broadcast makes it certain
            source = parallel_state.get_tensor_model_parallel_src_rank()
            torch.distributed.broadcast(tokens, source, group=parallel_state.get_tensor_model_parallel_group())
            torch.distributed.broadcast(told, source, group=parallel_state.get_tensor_model_parallel_group())
        return tokens, told

    def _ended(self, slot: _Slot) -> bool:
        ids = slot.answer.ids
        slot.answer.ended = slot.token in self.ends
        if self.limits is not None and not slot.answer.ended:
            slot.answer.ended = self.limits.stopped(ids)
            if self.limits.closes_thought(ids, slot.prompt):
                slot.forced = list(self.limits.closing)
        if slot.answer.ended or len(slot.answer.ids) >= self.sampling.max_tokens:
            self.done.append(slot.answer)
            return True
        return False
