"""Samples for learning from preferences: pairs packed whole into sequences, each answer a sequence of its own.

The two sides of a pair follow one another, the preferred one first, each with its question, so that
sequences 2k and 2k + 1 of a row are a pair, in every layout. Attention and positions restart at each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.errors import WrongCall
from trainers.data.arrow_tokens import ArrowTokens
from trainers.data.packs import Packing, Packs
from trainers.data.samples import IGNORED, Sample


class Pairs(Packs):
    """Packs of pairs; `aspects` says which number an aspect has, or is empty where aspects do not matter."""

    def __init__(
        self, tokens: ArrowTokens, packing: Packing, sequence_length: int, seed: int, tag_column: str, tag_base: int,
        aspects: Sequence[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(tokens, packing, sequence_length, seed, "last", tag_column, tag_base)
        self.aspects = {name: number for number, name in enumerate(aspects)}
        unknown = sorted(set(tokens.values("aspect")) - set(aspects)) if aspects else []
        if unknown:
            raise WrongCall(
                f"{tokens.path_prefix} holds pairs of the aspect '{unknown[0]}', which reward.aspects "
                f"({', '.join(aspects)}) does not name; name it, or leave such pairs out of the mixture (where: …)"
            )

    def sample(self, number: int) -> Sample:
        """A row: tokens whole, the label of an answer's token at the place before it, aspect and strength at each."""
        whole = self.length
        tokens, labels = np.full(whole, IGNORED, np.int64), np.full(whole, IGNORED, np.int64)
        loss_mask, strengths = np.zeros(whole, np.float32), np.zeros(whole, np.float32)
        positions = np.zeros(whole, np.int64)
        sequences, tags = np.full(whole, -1, np.int32), np.zeros(whole, np.int16)
        aspects = np.zeros(whole, np.int64)
        end = 0
        for count, piece in enumerate(self.pieces(number)):
            asked = int(self.tokens.cell("prompt_tokens", piece.row))
            begun = end
            for side, ids in enumerate((self.tokens.get(piece.row), self.tokens.rejected(piece.row))):
                start, end = end, end + len(ids)
                tokens[start:end], labels[start : end - 1] = ids, ids[1:]
                loss_mask[start + asked - 1 : end - 1] = 1
                positions[start:end] = np.arange(len(ids))
                sequences[start:end] = 2 * count + side
            tags[begun:end] = self.base + self.tokens.code(self.column, piece.row)
            strengths[begun:end] = self.tokens.cell("strength", piece.row) or 0.0
            aspects[begun:end] = self.aspects.get(self.tokens.cell("aspect", piece.row), 0)
        positions[end:] = np.arange(whole - end)
        more: dict[str, npt.NDArray[Any]] = {"aspects": aspects, "strengths": strengths}
        return Sample(tokens, labels, loss_mask, positions, sequences, tags, more)
