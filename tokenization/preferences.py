"""Preferences of a frame as token ids: the question with each of its two answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from schemas.conversation import turns_in
from schemas.preference import PAIR_START, asked_and_answers
from tokenization.chat_template import ChatTemplate, encode
from tokenization.shards import lists_of
from tokenization.tokenizer import TextTokenizer

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True)
class EncodedPairs:
    """By row of the frame: tokens with the preferred answer, with the other, and of the question; what is beside.

    Rows whose longer side does not fit have no tokens; rows that are no pairs are absent from `chosen`.
    """

    chosen: dict[int, Ids]
    rejected: list[Ids]
    prompt_tokens: list[int]
    beside: list[dict[str, Any]]
    counts: dict[str, int]

    def columns(self) -> dict[str, pa.Array]:
        """Columns of `shard_schema("preferences")` beside those that every row has."""
        return {
            "rejected_ids": lists_of(self.rejected, np.int32),
            "prompt_tokens": pa.array(self.prompt_tokens, pa.int32()),
            "aspect": pa.array([one.get("aspect", "") for one in self.beside], pa.string()),
            "annotator": pa.array([one.get("annotator") for one in self.beside], pa.string()),
            "strength": pa.array([one.get("strength") for one in self.beside], pa.float64()),
        }


def pairs_of(frame: pl.DataFrame) -> pl.Series:
    """Which rows are preferences, shape (rows,)."""
    return frame["conversation"].str.starts_with(PAIR_START).fill_null(False)


def encode_pairs(
    frame: pl.DataFrame, tokenizer: TextTokenizer, template: ChatTemplate, max_tokens: int
) -> EncodedPairs:
    """Encode the rows of a frame that are preferences; a pair of which a side is too long is left out, and counted."""
    nothing = np.zeros(0, np.int32)
    rejected, prompt_tokens = [nothing] * frame.height, [0] * frame.height
    beside: list[dict[str, Any]] = [{}] * frame.height
    chosen: dict[int, Ids] = {}
    left_out = 0
    rows = pairs_of(frame).arg_true().to_list()
    rendered = []
    for text in frame["text"].gather(rows):
        asked, better, worse = asked_and_answers(turns_in(text))
        rendered.append(template.render(asked, ask=True, tokenizer=tokenizer))
        rendered += [template.render((*asked, one), tokenizer=tokenizer) for one in (better, worse)]
    encoded = encode(tokenizer, rendered)
    for number, row in enumerate(rows):
        question = encoded[3 * number][0]
        sides = [_answered(*one) for one in encoded[3 * number + 1 : 3 * number + 3]]
        # An answer follows the question's own tokens where a model writes it, so it must here.
        fits = all(len(one) <= max_tokens and (one[: len(question)] == question).all() for one in sides)
        left_out += not fits
        chosen[row] = sides[0] if fits else nothing
        if fits:
            rejected[row], prompt_tokens[row] = sides[1], len(question)
            beside[row] = json.loads(frame["conversation"][row])
    return EncodedPairs(
        chosen, rejected, prompt_tokens, beside, {"preferences": len(chosen), "preferences_left_out": left_out}
    )


def _answered(ids: Ids, answers: npt.NDArray[np.int16]) -> Ids:
    """Tokens up to the one that ends the last answer; what a template writes behind it is no part of it."""
    return ids[: int(np.flatnonzero(answers == answers.max())[-1]) + 1]
