"""Spans of a text that identify a person, and the text with marks in their place."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, order=True)
class Span:
    """Characters `start:end` of a text and the class of identifier that they are.

    `shown` is what stands there afterwards (a shifted date, say); without it the mark of the class.
    """

    start: int
    end: int
    kind: str
    shown: str | None = None


# Where two spans overlap, the class named first wins: a checksum tells more than a run of digits.
PRIORITY: Final = (
    "EMAIL",
    "URL",
    "ID",
    "BIOMETRIC",
    "MRN",
    "INSURANCE",
    "DEVICE",
    "LICENCE",
    "VEHICLE",
    "PLATE",
    "ACCOUNT",
    "CHAT",
    "IP",
    "DATE",
    "PHONE",
    "ADDRESS",
    "POSTCODE",
    "BED",
    "AGE",
    "NAME",
)
_RANK: Final = {kind: rank for rank, kind in enumerate(PRIORITY)}

# Full-width letters, digits and signs, one for one: places stay the same. Line breaks stay: a field ends with its line.
_SHADOW: Final = {
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    0x3000: " ",
    0x09: " ",
    0x2010: "-",
    0x2011: "-",
    0x2012: "-",
    0x2013: "-",
    0x2014: "-",
    0x2212: "-",
    0xFE63: "-",
    0x2236: ":",
    0xFE55: ":",
}


def shadow(text: str) -> str:
    """The text for matching: half-width, of the same length."""
    return text.translate(_SHADOW)


def settled(spans: Iterable[Span]) -> list[Span]:
    """Spans in order that do not overlap; of two that do, the higher class, then the longer one.

    What a lower span covers beyond the higher one stays covered: nothing found is let stand.
    """
    ranked = sorted(set(spans), key=lambda one: (_RANK[one.kind], one.start - one.end, one.start))
    kept: list[Span] = []
    taken: set[int] = set()
    for span in ranked:
        places = set(range(span.start, span.end))
        if taken.isdisjoint(places):
            if places:
                kept.append(span)
        else:
            kept.extend(_pieces(span, taken))
        taken |= places
    return sorted(kept)


def _pieces(span: Span, taken: set[int]) -> Iterator[Span]:
    """The parts of a span that no other has taken."""
    start = None
    for place in range(span.start, span.end + 1):
        free = place < span.end and place not in taken
        if free and start is None:
            start = place
        elif not free and start is not None:
            yield Span(start, place, span.kind)
            start = None


def marked(text: str, spans: Iterable[Span]) -> tuple[str, dict[str, int]]:
    """The text with a mark for each span, and how many of each class.

    The same value gets the same mark within a document: `[NAME]` the first, `[NAME_2]` the second.
    """
    numbers: dict[str, dict[str, int]] = {}
    counts: dict[str, int] = {}
    pieces: list[str] = []
    position = 0
    for span in settled(spans):
        pieces.append(text[position : span.start])
        position = span.end
        counts[span.kind] = counts.get(span.kind, 0) + 1
        if span.shown is not None:
            pieces.append(span.shown)
            continue
        value = _same_value(text[span.start : span.end])
        if not value:  # signs between two identifiers
            pieces.append(text[span.start : span.end])
            counts[span.kind] -= 1
            continue
        of_kind = numbers.setdefault(span.kind, {})
        number = of_kind.setdefault(value, len(of_kind) + 1)
        pieces.append(f"[{span.kind}]" if number == 1 else f"[{span.kind}_{number}]")
    pieces.append(text[position:])
    return "".join(pieces), {kind: count for kind, count in counts.items() if count}


def _same_value(value: str) -> str:
    folded = unicodedata.normalize("NFKC", value).lower()
    return "".join(char for char in folded if char.isalnum())
