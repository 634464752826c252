"""Byte-level BPE: trained deterministically on the corpus, or read from a Hugging Face file."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer, models

from schemas.errors import WrongCall
from tokenization.backends import ADVERSARIAL, OWN, OWN_CHARACTERS, Encode, agrees, backends, text_only
from tokenization.marks import CONFIG_FILE, marks_around, named_tokens, read_config

END_OF_TEXT: Final = "<|endoftext|>"
KNOWN_ENDS: Final = (END_OF_TEXT, "<|end_of_text|>", "</s>", "<|im_end|>", "<eos>")


@dataclass(frozen=True)
class TextTokenizer:
    """A tokenizer with the mark that ends a document, and the one that begins it where there is any."""

    tokenizer: Tokenizer
    end_of_text: str
    end_of_text_id: int
    begin_of_text: str | None = None

    @property
    def begin_of_text_id(self) -> int | None:
        """Id of the mark that begins a document."""
        found: int | None = self.tokenizer.token_to_id(self.begin_of_text) if self.begin_of_text else None
        return found

    @property
    def vocabulary(self) -> int:
        """Size of the vocabulary, added tokens included."""
        return int(self.tokenizer.get_vocab_size(with_added_tokens=True))

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """Special tokens as they are written, the longest first."""
        listed = self.tokenizer.get_added_tokens_decoder().values()
        return tuple(sorted((one.content for one in listed if one.special), key=lambda one: (-len(one), one)))

    @cached_property
    def _spellings(self) -> re.Pattern[str]:
        """Every way of writing a mark that a normaliser may turn into it: full width, other case."""
        ways = ("".join(f"[{re.escape(_variants(sign))}]" for sign in mark) for mark in self.marks)
        return re.compile("|".join(ways) or "(?!)")

    def mentions(self, text: str) -> Iterator[tuple[int, int]]:
        """Where a text mentions a special token, as written or as the tokenizer would normalise it."""
        normalise = self.tokenizer.normalizer
        for found in self._spellings.finditer(text):
            written = found.group()
            if written in self.marks or (normalise and normalise.normalize_str(written) != written):
                yield found.span()

    @cached_property
    def control_ids(self) -> frozenset[int]:
        """Ids that only a template or the end of a document may write; what stands for unknown text is none."""
        unknown = getattr(self.tokenizer.model, "unk_token", None) or "<unk>"
        listed = self.tokenizer.get_added_tokens_decoder().items()
        return frozenset(number for number, one in listed if one.special and one.content != unknown)

    def _slowly(self, texts: list[str]) -> list[Any]:
        with self._specials_as_text():
            return [one.ids for one in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    @cached_property
    def backend(self) -> list[str]:
        """Name of the encoder in use, and why each faster one is not; told once texts have been encoded."""
        return []

    def _encoder(self, texts: list[str]) -> Encode:
        """The fastest encoder that gives the ids of `tokenizers`, on texts that are known to trip some and on these."""
        if "_fast" not in self.__dict__ and texts:
            own = [text[:OWN_CHARACTERS] for text in texts[:OWN]]
            told = text_only(self.tokenizer.to_str())
            why: list[str] = []
            chosen: Encode | None = None
            for name, encode in backends(told):
                differs = agrees(encode, self._slowly, [*ADVERSARIAL, *own])
                if differs is None:
                    why, chosen = [name, *why], encode
                    break
                why.append(f"{name}: {differs}")
            self.backend.extend(why if chosen else ["tokenizers", *why])
            self.__dict__["_fast"] = chosen or self._slowly
        return self.__dict__.get("_fast", self._slowly)

    @cached_property
    def _may_spell_marks(self) -> bool:
        """Whether the model itself can put a special token together out of text.

        BPE builds its tokens by merges, and no merge leads to a special token; but a model that looks
        up whole words (WordPiece, Unigram, BPE that ignores merges) may find one in its vocabulary.
        """
        model = self.tokenizer.model
        looks_up = not isinstance(model, models.BPE) or bool(getattr(model, "ignore_merges", False))
        return looks_up or any(len(mark) == 1 for mark in self.marks)

    def encode_documents(self, texts: list[str]) -> list[list[int]]:
        """Token ids of each text between the marks of a document; no other id is a special token's."""
        rows = self._encoder(texts)(texts)
        if self._may_spell_marks:
            rows = [
                ids if self.control_ids.isdisjoint(ids) else self.encode_text(text)[0]
                for text, ids in zip(texts, rows, strict=True)
            ]
        begin = [] if self.begin_of_text_id is None else [self.begin_of_text_id]
        return [[*begin, *ids, self.end_of_text_id] for ids in rows]

    def encode_text(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids and character offsets of a text, none of them a special token's, whatever the text says.

        Where the model still finds a mark, the text is cut behind the mark's first character, and the
        pieces are encoded each by itself.
        """
        cuts = [0, len(text)]
        while True:
            pieces = [text[start:end] for start, end in itertools.pairwise(cuts)]
            with self._specials_as_text():
                encoded = self.tokenizer.encode_batch(pieces, add_special_tokens=False)
            ids: list[int] = []
            offsets: list[tuple[int, int]] = []
            more: set[int] = set()
            for base, one in zip(cuts, encoded, strict=False):
                for number, (start, end) in zip(one.ids, one.offsets, strict=True):
                    if number in self.control_ids:
                        if end - start < 2:  # a mark of one character cannot be cut: it is left out
                            continue
                        more.add(base + start + 1)
                    ids.append(number)
                    offsets.append((base + start, base + end))
            if not more:
                return ids, offsets
            cuts = sorted({*cuts, *more})

    @contextmanager
    def _specials_as_text(self) -> Iterator[None]:
        self.tokenizer.encode_special_tokens = True
        try:
            yield
        finally:
            self.tokenizer.encode_special_tokens = False


def _variants(sign: str) -> str:
    """A character, its cases, and its full-width form."""
    ways = {sign, sign.lower(), sign.upper()}
    return "".join(sorted(ways | {chr(ord(one) + 0xFEE0) for one in ways if "!" <= one <= "~"}))


def _without_cuts(tokenizer: Tokenizer) -> Tokenizer:
    """Truncation and padding that are saved in a file would cut texts and add tokens that nobody wrote."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def load_tokenizer(path: Path, end: str | None = None) -> TextTokenizer:
    """Read a `tokenizer.json` with its own marks of a document.

    A document ends with `end` where it is given, else with the mark of the post-processor, with one of `KNOWN_ENDS`,
    or with the `eos_token` of the configuration beside the file.

    Raises:
        WrongCall: where the file is no tokenizer, or has no such mark.
    """
    if not path.is_file():
        raise WrongCall(f"tokenizer {path} does not exist")
    try:
        tokenizer = _without_cuts(Tokenizer.from_str(path.read_text(encoding="utf-8")))
    except Exception as error:  # the library raises plain Exception
        raise WrongCall(f"tokenizer {path} is not a Hugging Face tokenizer.json: {error}") from None
    begin, closing = marks_around(tokenizer)
    named = named_tokens(read_config(path.parent / CONFIG_FILE)).get("eos_token")
    for mark in (end,) if end else (closing, *KNOWN_ENDS, named):
        number = tokenizer.token_to_id(mark) if mark else None
        if mark is not None and number is not None:
            return TextTokenizer(tokenizer, mark, number, begin)
    if end:
        raise WrongCall(f"tokenizer {path} has no token {end}, with which tokenizer.end says that documents end")
    raise WrongCall(
        f"tokenizer {path} has no end-of-text token; one of {', '.join(KNOWN_ENDS)} is needed, "
        "or another that tokenizer.end names"
    )
