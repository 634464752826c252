"""Samples for supervised stages: conversations packed whole into sequences, none crossing into the next.

Attention and positions restart at each conversation, and a label never leaves it, so the loss of a
pack is the sum of the losses of its conversations alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from schemas.errors import WrongCall
from tokenization.packing import best_fit
from trainers.data.arrow_tokens import ArrowTokens
from trainers.data.samples import IGNORED, Piece, Sample


@dataclass(frozen=True)
class Packing:
    """Rows of each pack: `rows[starts[n]:starts[n + 1]]` are those of pack n; `fill`: share of all places used."""

    rows: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    fill: float

    def __len__(self) -> int:
        return len(self.starts) - 1


def pack(tokens: ArrowTokens, sequence_length: int, pairs: bool = False) -> Packing:
    """Conversations, or pairs with both their sides, best-fit into packs; one that is longer is refused."""
    lengths = tokens.sequence_lengths.astype(np.int64) - 1  # the last token is only ever a label
    if pairs:
        lengths = lengths + 1 + tokens.rejected_lengths
    if len(lengths) and lengths.max() > sequence_length:
        component = "/".join(tokens.path_prefix.split("/")[1:-1])
        row = "pair" if pairs else "conversation"
        raise WrongCall(
            f"{component}: a {row} of {int(lengths.max()) + (not pairs)} tokens does not fit into "
            f"data.sequence_length {sequence_length}; raise it, or lower conversations.max_tokens in the recipe"
        )
    bins, count = best_fit(np.maximum(lengths, 1), sequence_length)
    order = np.argsort(bins, kind="stable")
    starts = np.searchsorted(bins[order], np.arange(count + 1))
    return Packing(order, starts, float(lengths.sum() / max(1, count * sequence_length)))


class Packs:
    """Packs of at most `sequence_length` tokens; each epoch goes through all of them in an order of its own."""

    def __init__(
        self,
        tokens: ArrowTokens,
        packing: Packing,
        sequence_length: int,
        seed: int,
        loss: Literal["assistant", "last"],
        tag_column: str,
        tag_base: int,
    ) -> None:
        self.tokens, self.length, self.seed, self.loss = tokens, sequence_length, seed, loss
        self.column, self.base = tag_column, tag_base
        self._rows, self._starts, self.per_epoch = packing.rows, packing.starts, len(packing)
        self._orders: dict[int, npt.NDArray[np.int64]] = {}

    def _pack(self, number: int) -> int:
        epoch, place = divmod(number, self.per_epoch)
        if epoch not in self._orders:
            stream = np.random.Generator(np.random.PCG64([self.seed, epoch]))
            self._orders[epoch] = stream.permutation(self.per_epoch)
        return int(self._orders[epoch][place])

    def pieces(self, number: int) -> list[Piece]:
        """The conversations of a pack."""
        pack = self._pack(number)
        rows = self._rows[self._starts[pack] : self._starts[pack + 1]].tolist()
        return [Piece(row, 0, int(self.tokens.sequence_lengths[row])) for row in rows]

    def sample(self, number: int) -> Sample:
        """A pack, filled up with tokens that nothing attends to and no loss is taken of."""
        tokens = np.full(self.length, IGNORED, np.int64)
        labels = np.full(self.length, IGNORED, np.int64)
        loss_mask = np.zeros(self.length, np.float32)
        positions = np.zeros(self.length, np.int64)
        sequences = np.full(self.length, -1, np.int32)
        tags = np.zeros(self.length, np.int16)
        end = 0
        for count, piece in enumerate(self.pieces(number)):
            ids, turns = self.tokens.get(piece.row), self.tokens.turns(piece.row)
            start, end = end, end + len(ids) - 1
            tokens[start:end], labels[start:end] = ids[:-1], ids[1:]
            learned = turns[1:] > 0 if self.loss == "assistant" else (turns[1:] == turns.max()) & (turns[1:] > 0)
            loss_mask[start:end] = learned
            positions[start:end] = np.arange(end - start)
            sequences[start:end] = count
            tags[start:end] = self.base + self.tokens.code(self.column, piece.row)
        positions[end:] = np.arange(self.length - end)
        return Sample(tokens, labels, loss_mask, positions, sequences, tags)

    def numbers_of_row(self, row: int, below: int) -> npt.NDArray[np.int64]:
        """Numbers under `below` of the packs that hold a row: one an epoch."""
        place = int(np.flatnonzero(self._rows == row)[0])
        pack = int(np.searchsorted(self._starts, place, side="right")) - 1
        epochs = range(-(-below // self.per_epoch))
        found = [n for epoch in epochs for n in [epoch * self.per_epoch + self._place(epoch, pack)] if n < below]
        return np.array(found, np.int64)

    def _place(self, epoch: int, pack: int) -> int:
        self._pack(epoch * self.per_epoch)
        return int(np.flatnonzero(self._orders[epoch] == pack)[0])
