"""Micro-batches of this rank from a sample position on, read ahead in a thread."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator

import numpy as np
import torch
from megatron.core import parallel_state

from trainers.data.datasets import Blended
from trainers.data.samples import Sample
from trainers.parallel.context import own_positions
from trainers.stage import TrainConfig

Batch = dict[str, torch.Tensor]
CUT_BY_CONTEXT = ("tokens", "labels", "loss_mask", "positions", "tags")


def collate(samples: list[Sample], context_rank: int = 0, context_size: int = 1) -> Batch:
    """A micro-batch, shapes (b, s of this context-parallel rank); `sequences` and what samples have more stay whole."""
    one = samples[0]
    batch = {name: torch.from_numpy(np.stack([getattr(sample, name) for sample in samples])) for name in CUT_BY_CONTEXT}
    if one.sequences is None:
        batch["positions"] = batch["positions"][:1]
    if context_size > 1:
        own = own_positions(context_rank, context_size, len(one.tokens))
        batch = {name: tensor[:, own] for name, tensor in batch.items()}
    if one.sequences is not None:
        batch["sequences"] = torch.from_numpy(np.stack([s.sequences for s in samples if s.sequences is not None]))
    for name in one.more:
        batch[name] = torch.from_numpy(np.stack([sample.more[name] for sample in samples]))
    return batch


class BatchReader:
    """Iterates over micro-batches; `waited` is the time that training stood still for data, in seconds."""

    def __init__(self, data: Blended, config: TrainConfig, position: int) -> None:
        self.data, self.config, self.position = data, config, position
        self.waited = 0.0
        self._rank = parallel_state.get_data_parallel_rank()
        self._context = (parallel_state.get_context_parallel_rank(), parallel_state.get_context_parallel_world_size())
        self._queue: queue.Queue[Batch | BaseException] = queue.Queue(maxsize=config.data.prefetch)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._fill, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        started = time.perf_counter()
        batch = self._queue.get()
        self.waited += time.perf_counter() - started
        if isinstance(batch, BaseException):
            raise batch
        return batch

    def close(self) -> None:
        """Stop reading ahead, and wait for it: a thread within torch at the end of a process aborts it."""
        self._stop.set()
        with contextlib.suppress(queue.Empty):  # it may wait for room
            while True:
                self._queue.get_nowait()
        self._thread.join()

    def _fill(self) -> None:
        micro, ranks = self.config.batch.micro, self.config.parallel.data
        position = self.position
        try:
            while not self._stop.is_set():
                first = position + self._rank * micro
                samples = [self.data[index % len(self.data)] for index in range(first, first + micro)]
                self._queue.put(collate(_alike(samples), *self._context))
                position += micro * ranks
        except BaseException as error:  # handed to the training thread, which raises it
            self._queue.put(error)


def _alike(samples: list[Sample]) -> list[Sample]:
    """Where packs and windows meet in one micro-batch, windows count as one sequence each."""
    if len({sample.sequences is None for sample in samples}) == 1:
        return samples
    whole = np.zeros(len(samples[0].tokens), np.int32)
    return [
        Sample(s.tokens, s.labels, s.loss_mask, s.positions, whole if s.sequences is None else s.sequences, s.tags)
        for s in samples
    ]
