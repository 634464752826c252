"""Samples for pretraining: documents laid end to end and cut into windows, by Megatron-Core's own indices.

Order, shuffling, epochs and cuts are `GPTDataset`'s; only gathering the tokens is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
from megatron.core.datasets.utils import Split

from trainers.data.arrow_tokens import ArrowTokens
from trainers.data.samples import Piece, Sample


@dataclass(frozen=True)
class EndOfText:
    """What Megatron's dataset needs to know of a tokenizer."""

    eod: int
    vocab_size: int
    pad: int = -1

    @property
    def unique_identifiers(self) -> dict[str, int]:
        """Part of the cache key of the sample indices."""
        return {"eod": self.eod, "vocab_size": self.vocab_size}


@dataclass(frozen=True)
class WindowSettings:
    """What all components of a mixture share: length, seed, tokenizer, and where indices are kept."""

    sequence_length: int
    seed: int
    tokenizer: EndOfText
    cache: Path


def window_sample(tokens: ArrowTokens, pieces: list[Piece], column: str, base: int) -> Sample:
    """A window of pieces, each token tagged with `base` and its document's code in `column`."""
    text = np.concatenate([tokens.get(one.row, one.offset, one.length) for one in pieces]).astype(np.int64)
    codes = [base + tokens.code(column, one.row) for one in pieces]
    tags = np.repeat(np.array(codes, np.int16), [one.length for one in pieces])
    return Sample(text[:-1], text[1:], *_whole(len(text) - 1), None, tags[1:])


@lru_cache(maxsize=4)
def _whole(length: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Loss mask and positions of a window that is learned whole; made once, for no sample changes them."""
    return np.ones(length, np.float32), np.arange(length, dtype=np.int64)


class Windows:
    """Windows of `sequence_length` tokens over the documents of one component."""

    def __init__(
        self, tokens: ArrowTokens, settings: WindowSettings, wanted: int, tag_column: str, tag_base: int
    ) -> None:
        self.tokens, self.length = tokens, settings.sequence_length
        self.column, self.base = tag_column, tag_base
        total = int(tokens.sequence_lengths.sum(dtype=np.int64))
        self.per_epoch = max(1, (total - 1) // self.length)
        config = GPTDatasetConfig(
            random_seed=settings.seed,
            sequence_length=settings.sequence_length,
            blend=([tokens.path_prefix], None),
            split="1,0,0",
            path_to_cache=str(settings.cache),
            tokenizer=settings.tokenizer,
            reset_position_ids=False,
            reset_attention_mask=False,
            eod_mask_loss=False,
            create_attention_mask=False,
        )
        rows = np.arange(len(tokens), dtype=np.int32)
        data = GPTDataset(tokens, tokens.path_prefix, rows, wanted, Split.train, config)
        self._documents: npt.NDArray[np.int32] = data.document_index
        self._cuts: npt.NDArray[np.int64] = data.sample_index
        self._shuffle: npt.NDArray[np.int64] = data.shuffle_index

    def __len__(self) -> int:
        return len(self._shuffle)

    def pieces(self, number: int) -> list[Piece]:
        """The rows of a window, one token more than it trains on (the last label)."""
        index = self._shuffle[number]
        (first, offset), (last, end) = self._cuts[index], self._cuts[index + 1]
        first, last, offset, end = int(first), int(last), int(offset), int(end)
        rows = self._documents[first : last + 1].tolist()
        if first == last:
            return [Piece(rows[0], offset, end - offset + 1)]
        lengths = self.tokens.sequence_lengths
        middle = [Piece(row, 0, int(lengths[row])) for row in rows[1:-1]]
        return [Piece(rows[0], offset, int(lengths[rows[0]]) - offset), *middle, Piece(rows[-1], 0, end + 1)]

    def sample(self, number: int) -> Sample:
        """Tokens of a window and the tokens after them; each token tagged with its document's code."""
        return window_sample(self.tokens, self.pieces(number), self.column, self.base)

    def numbers_of_row(self, row: int, below: int) -> npt.NDArray[np.int64]:
        """Numbers under `below` of all windows that hold any part of a row."""
        places = np.flatnonzero(self._documents == row)
        firsts = np.searchsorted(self._cuts[:, 0], places, side="left")
        lasts = np.searchsorted(self._cuts[:, 0], places, side="right")
        near = [np.arange(max(0, first - 1), last) for first, last in zip(firsts, lasts, strict=True)]
        cuts = np.unique(np.concatenate(near)) if near else np.zeros(0, np.int64)
        numbers = np.flatnonzero(np.isin(self._shuffle[:below], cuts))
        return np.array([n for n in numbers if any(piece.row == row for piece in self.pieces(int(n)))], np.int64)
