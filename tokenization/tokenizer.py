"""Byte-level BPE: trained deterministically on the corpus, or read from a Hugging Face file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from schemas.errors import WrongCall

END_OF_TEXT: Final = "<|endoftext|>"
# ChatML's turn marks and a few spare marks, so that later stages need not resize the embedding.
SPECIAL_TOKENS: Final = (END_OF_TEXT, "<|im_start|>", "<|im_end|>", *(f"<|reserved_{n}|>" for n in range(8)))
KNOWN_ENDS: Final = (END_OF_TEXT, "<|end_of_text|>", "</s>", "<|im_end|>", "<eos>")
# Words with their leading space, runs of ideographs, single digits, runs of symbols, white space.
# Digits are split so that doses and laboratory values are read digit by digit.
SPLIT: Final = (
    r"'(?i:[sdmt]|ll|ve|re)|\p{Han}+|[^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{L}\p{M}])+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class TextTokenizer:
    """A tokenizer with the id of the mark that ends a document."""

    tokenizer: Tokenizer
    end_of_text: str
    end_of_text_id: int

    @property
    def vocabulary(self) -> int:
        """Size of the vocabulary, added tokens included."""
        return int(self.tokenizer.get_vocab_size(with_added_tokens=True))

    def encode_documents(self, texts: list[str]) -> list[list[int]]:
        """Token ids of each text, closed by the end-of-text mark."""
        encoded = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [[*one.ids, self.end_of_text_id] for one in encoded]


def train_tokenizer(texts: Iterator[list[str]], vocab_size: int) -> Tokenizer:
    """Train byte-level BPE on batches of texts; equal texts in any order give an equal tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        max_token_length=48,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def load_tokenizer(path: Path) -> TextTokenizer:
    """Read a `tokenizer.json`; it must have one of the known end-of-text marks."""
    if not path.is_file():
        raise WrongCall(f"tokenizer {path} does not exist")
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises plain Exception
        raise WrongCall(f"tokenizer {path} is not a Hugging Face tokenizer.json: {error}") from None
    for mark in KNOWN_ENDS:
        number = tokenizer.token_to_id(mark)
        if number is not None:
            return TextTokenizer(tokenizer, mark, number)
    raise WrongCall(f"tokenizer {path} has no end-of-text token; one of {', '.join(KNOWN_ENDS)} is needed")
