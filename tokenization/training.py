"""Byte-level BPE learned from texts: equal texts in any order give an equal tokenizer.

rustbpe counts and merges three times as fast as the trainer of `tokenizers`; what it learned is written in the form
of a Hugging Face `tokenizer.json`.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator
from typing import Final

import rustbpe
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from tokenization.tokenizer import END_OF_TEXT

# ChatML's turn marks and a few spare marks, so that later stages need not resize the embedding.
SPECIAL_TOKENS: Final = (END_OF_TEXT, "<|im_start|>", "<|im_end|>", *(f"<|reserved_{n}|>" for n in range(8)))
# Qwen2's pattern, which fast encoders know (`tokenization.backends`): words with their leading space, ideographs
# among the letters, runs of signs, white space. Digits are split, so that doses and laboratory values are read
# digit by digit.
SPLIT: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BYTES: Final = 256


def train_tokenizer(texts: Iterator[list[str]], vocab_size: int) -> Tokenizer:
    """Learn `vocab_size` tokens, special ones and the 256 bytes among them, from batches of texts."""
    learner = rustbpe.Tokenizer()
    learner.train_from_iterator(
        (unicodedata.normalize("NFC", text) for batch in texts for text in batch),
        max(BYTES, vocab_size - len(SPECIAL_TOKENS)),
        pattern=SPLIT,
    )
    ranks = {bytes(token): rank for token, rank in learner.get_mergeable_ranks()}
    tokenizer = Tokenizer(_model(ranks))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    return tokenizer


def _model(ranks: dict[bytes, int]) -> models.BPE:
    """The model of `tokenizers`: special tokens, then bytes, then merges in the order in which they were learned."""
    written = {rank: _shown(token) for token, rank in ranks.items()}
    vocabulary = {token: number for number, token in enumerate(SPECIAL_TOKENS)}
    vocabulary |= {written[rank]: len(SPECIAL_TOKENS) + rank for rank in sorted(written)}
    pairs = ((token, rank) for token, rank in ranks.items() if len(token) > 1)
    merges = [_merged_from(token, rank, ranks) for token, rank in sorted(pairs, key=lambda one: one[1])]
    return models.BPE(vocab=vocabulary, merges=[(_shown(left), _shown(right)) for left, right in merges])


def _shown(token: bytes) -> str:
    return "".join(LETTERS[byte] for byte in token)


def _merged_from(token: bytes, rank: int, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two tokens that were merged into this one: what the merges before it make of its bytes."""
    parts = [token[at : at + 1] for at in range(len(token))]
    while len(parts) > 2:
        pairs = itertools.pairwise(parts)
        found = [(ranks.get(left + right, rank), at) for at, (left, right) in enumerate(pairs)]
        lowest, at = min(found)
        if lowest >= rank:
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    assert len(parts) == 2, token
    return parts[0], parts[1]


def _letters() -> list[str]:
    """The visible character that byte-level BPE writes for each byte (GPT-2, Radford et al. 2019)."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(BYTES) if byte not in shown]
    codes = {byte: byte for byte in shown} | {byte: BYTES + number for number, byte in enumerate(hidden)}
    return [chr(codes[byte]) for byte in range(BYTES)]


LETTERS: Final = _letters()
