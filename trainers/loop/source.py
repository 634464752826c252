"""Where batches come from: read ahead from shards, or computed between steps.

A stage that learns from data has a `BatchReader`. One that learns from what the model itself does
(rollouts, say) has a source that looks at the model in `prepare`, before each step, and hands out what
it made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from trainers.data.datasets import Blended
from trainers.data.reader import Batch, BatchReader
from trainers.stage import TrainConfig


class BatchSource(Protocol):
    """Micro-batches of this rank, step after step."""

    @property
    def tags(self) -> list[str]:
        """Names of the parts of the data that losses are told by, `component|grade`."""
        ...

    @property
    def waited(self) -> float:
        """Seconds that training stood still for data."""
        ...

    def prepare(self, model: Sequence[Any], step: int) -> None:
        """Called on all ranks before a step, with the model as it is then."""
        ...

    def micro_batches(self, count: int) -> list[Batch]:
        """The next micro-batches."""
        ...

    def tokens(self, size: int) -> int:
        """Tokens of the batch of `size` samples that `micro_batches` gave last, over all ranks, without padding."""
        ...

    @property
    def windows(self) -> bool:
        """Whether all samples are windows of one length, so that tokens so far are known by their number."""
        ...

    def documents(self, first: int, size: int) -> list[str]:
        """Ids of all documents behind samples `first` to `first + size`, each once."""
        ...

    def go_on_from(self, position: int) -> None:
        """Begin again at another sample, as after a rollback."""
        ...

    def close(self) -> None:
        """Nothing more is read."""
        ...


class ShardSource:
    """Batches of a stage's blended samples, from a position on."""

    def __init__(self, data: Blended, config: TrainConfig, position: int) -> None:
        self.data, self.config = data, config
        self._before = 0.0
        self._reader = BatchReader(data, config, position)

    @property
    def tags(self) -> list[str]:
        """Names of the parts of the data."""
        return self.data.tags

    @property
    def waited(self) -> float:
        """Seconds that training stood still for data."""
        return self._before + self._reader.waited

    def prepare(self, model: Sequence[Any], step: int) -> None:
        """Data do not depend on the model."""

    def micro_batches(self, count: int) -> list[Batch]:
        """The next micro-batches."""
        return [next(self._reader) for _ in range(count)]

    windows = True

    def tokens(self, size: int) -> int:
        """So many windows' tokens."""
        return size * self.config.data.sequence_length

    def documents(self, first: int, size: int) -> list[str]:
        """Ids of all documents in a step's samples, each once."""
        return sorted({document for at in range(first, first + size) for _, document in self.data.documents(at)})

    def go_on_from(self, position: int) -> None:
        """Read on from another sample."""
        self.close()
        self._before = self.waited
        self._reader = BatchReader(self.data, self.config, position)

    def close(self) -> None:
        """Stop reading ahead."""
        self._reader.close()
