"""Conversations of a frame as token ids; those that are too long are cut at turns or left out, and counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.conversation import Turn, turns_of
from tokenization.chat_template import ChatTemplate, encode
from tokenization.tokenizer import TextTokenizer

Pair = tuple[npt.NDArray[np.int32], npt.NDArray[np.int16]]
NOTHING: Pair = (np.zeros(0, np.int32), np.zeros(0, np.int16))


@dataclass(frozen=True)
class EncodedConversations:
    """Token ids and answer numbers of each conversation (empty where it was left out), and counts."""

    ids: list[npt.NDArray[np.int32]]
    turns: list[npt.NDArray[np.int16]]
    counts: dict[str, int]


def encode_conversations(
    frame: pl.DataFrame, tokenizer: TextTokenizer, template: ChatTemplate, max_tokens: int, cut: bool
) -> EncodedConversations:
    """Encode rows with `text` in the form of `schemas.conversation` and `conversation` beside."""
    turns = [turns_of(text) for text in frame["text"]]
    tools = [json.loads(beside).get("tools", ()) if beside else () for beside in frame["conversation"]]
    pairs = encode(
        tokenizer, [template.render(one, more, tokenizer=tokenizer) for one, more in zip(turns, tools, strict=True)]
    )
    shortened = left_out = 0
    for row, (ids, _) in enumerate(pairs):
        if len(ids) <= max_tokens:
            continue
        pairs[row] = _cut(turns[row], tools[row], tokenizer, template, max_tokens) if cut else NOTHING
        shortened += len(pairs[row][0]) > 0
        left_out += len(pairs[row][0]) == 0
    pairs = [
        (ids, _without(answers, json.loads(beside).get("unlearned", ()) if beside else ()))
        for (ids, answers), beside in zip(pairs, frame["conversation"], strict=True)
    ]
    return EncodedConversations(
        [ids for ids, _ in pairs],
        [answers for _, answers in pairs],
        {
            "conversations": len(pairs),
            "learned_tokens": int(sum(np.count_nonzero(answers) for _, answers in pairs)),
            "cut": shortened,
            "left_out": left_out,
        },
    )


def _without(answers: npt.NDArray[np.int16], unlearned: Sequence[int]) -> npt.NDArray[np.int16]:
    """The answer of each token, 0 where its row says that it is not to be learned."""
    return np.where(np.isin(answers, unlearned), 0, answers).astype(np.int16) if unlearned else answers


def _cut(
    turns: Sequence[Turn], tools: Sequence[Any], tokenizer: TextTokenizer, template: ChatTemplate, most: int
) -> Pair:
    """The longest beginning that ends with an answer and fits; nothing where not even the first answer does."""
    ends = [number for number, turn in enumerate(turns, 1) if turn.role == "assistant"][:-1]
    for end in reversed(ends):
        pair = encode(tokenizer, [template.render(turns[:end], tools, tokenizer=tokenizer)])[0]
        if len(pair[0]) <= most:
            return pair
    return NOTHING
