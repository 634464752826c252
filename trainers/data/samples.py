"""What a sample is, whether a window over documents or a pack of conversations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from trainers.data.arrow_tokens import ArrowTokens

IGNORED = 0  # what stands in for a token where nothing is


class Piece(NamedTuple):  # several a sample: made three times as fast as a frozen dataclass
    """A stretch of one row in a sample: row, first token within it, tokens."""

    row: int
    offset: int
    length: int


@dataclass(frozen=True)
class Sample:
    """One sequence; arrays have shape (sequence,)."""

    tokens: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    loss_mask: npt.NDArray[np.float32]
    positions: npt.NDArray[np.int64]
    sequences: npt.NDArray[np.int32] | None
    tags: npt.NDArray[np.int16]
    more: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)  # whole on every context-parallel rank


class Samples(Protocol):
    """Samples of one component: as many an epoch as `per_epoch`, numbered on through epochs."""

    tokens: ArrowTokens
    per_epoch: int

    def pieces(self, number: int) -> list[Piece]:
        """Which rows a sample holds, and which part of each."""
        ...

    def sample(self, number: int) -> Sample:
        """The sample itself."""
        ...

    def numbers_of_row(self, row: int, below: int) -> npt.NDArray[np.int64]:
        """Numbers under `below` of all samples that hold any part of a row."""
        ...
