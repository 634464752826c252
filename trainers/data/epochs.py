"""Windows in the order of epochs: each reads every document once, in an order of its own.

Megatron's indices shuffle the documents of all epochs together, so of four epochs the first reads about 70% of the
tokens, and some twice. Here an epoch is drawn from the seed and its own number alone: it is the same however long the
run becomes, and what is left at an epoch's end (less than a window) belongs to other documents in each.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from trainers.data.arrow_tokens import ArrowTokens
from trainers.data.samples import Piece, Sample
from trainers.data.windows import window_sample

Order = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]


class EpochWindows:
    """Windows of `sequence_length` tokens over the documents of one component, epoch by epoch."""

    def __init__(self, tokens: ArrowTokens, sequence_length: int, seed: int, tag_column: str, tag_base: int) -> None:
        self.tokens, self.length, self.seed = tokens, sequence_length, seed
        self.column, self.base = tag_column, tag_base
        total = int(tokens.sequence_lengths.sum(dtype=np.int64))
        self.per_epoch = max(1, (total - 1) // sequence_length)
        self._order = lru_cache(maxsize=2)(self._drawn)  # a batch may lie on the border of two epochs

    def _drawn(self, epoch: int) -> Order:
        """Rows in the order of an epoch, where each begins in it (rows + 1), and the order of its windows."""
        stream = np.random.Generator(np.random.PCG64([self.seed, epoch]))
        rows = stream.permutation(len(self.tokens))
        starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(self.tokens.sequence_lengths[rows], dtype=np.int64)))
        return rows, starts, stream.permutation(self.per_epoch)

    def pieces(self, number: int) -> list[Piece]:
        """The rows of a window, one token more than it trains on (the last label)."""
        epoch, place = divmod(number, self.per_epoch)
        rows, starts, windows = self._order(epoch)
        begin = int(windows[place]) * self.length
        end = min(begin + self.length + 1, int(starts[-1]))
        first, last = np.searchsorted(starts, (begin, end - 1), side="right") - 1
        found = []
        for at in range(int(first), int(last) + 1):
            own, after = int(starts[at]), int(starts[at + 1])
            if after > own:
                found.append(Piece(int(rows[at]), max(0, begin - own), min(end, after) - max(begin, own)))
        return found

    def sample(self, number: int) -> Sample:
        """Tokens of a window and the tokens after them; each token tagged with its document's code."""
        return window_sample(self.tokens, self.pieces(number), self.column, self.base)

    def numbers_of_row(self, row: int, below: int) -> npt.NDArray[np.int64]:
        """Numbers under `below` of all windows that hold any part of a row."""
        found: list[int] = []
        for epoch in range(-(-below // self.per_epoch)):
            rows, starts, windows = self._drawn(epoch)
            at = int(np.flatnonzero(rows == row)[0])
            near = np.arange((int(starts[at]) - 1) // self.length, (int(starts[at + 1]) - 1) // self.length + 1)
            numbers = epoch * self.per_epoch + np.flatnonzero(np.isin(windows, near))
            found += [int(n) for n in numbers if n < below]
        return np.array([n for n in found if any(piece.row == row for piece in self.pieces(n))], np.int64)
