"""The step `phi`: identifiers of persons replaced by typed marks, in text and title.

Classes are the eighteen of HIPAA's safe harbour (45 CFR 164.514(b)(2)), but for pictures, and those
of the Chinese rules on personal information (GB/T 35273-2020, annex A): see `spans.PRIORITY`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from filters.privacy.dates import DATE_HINT, Treatment, find_dates
from filters.privacy.finder import LEVELS, Level
from filters.privacy.forms import FINDERS as FORMS
from filters.privacy.labelled import FINDERS as LABELLED
from filters.privacy.lexicon import Lexicon, load_lexicon
from filters.privacy.names import again, is_chinese_name, name_finders
from filters.privacy.places import FINDERS as PLACES
from filters.privacy.spans import PRIORITY, Span, marked, shadow
from filters.step import Batch, Outcome, step

# Texts about one person; pages anyone may have written; everything else was published.
PERSONAL_TYPES: Final = ("record", "dialogue")
PUBLIC_TYPES: Final = ("web",)
STRETCH: Final = 1024  # characters that are searched together where a hint lies in them
BETWEEN: Final = "\n\x00\n"  # no white space and no letter, and normalised text does not hold it
OVERLAP: Final = 128  # longest identifier, with its label


def find_identifiers(
    texts: Sequence[str],
    ids: Sequence[str],
    levels: Sequence[Level],
    dates: Treatment = "year",
    lexicon: Lexicon | None = None,
) -> list[list[Span]]:
    """For each text all spans that identify a person; they may overlap.

    Stretches of all texts are searched for the hints of every finder at once; its own, slower
    search runs only where the hint is.
    """
    words = lexicon or load_lexicon()
    matched = [shadow(text) for text in texts]
    owners, lows, highs = _stretches(matched)
    stretches = pl.Series(
        [matched[row][low:high] for row, low, high in zip(owners, lows, highs, strict=True)], dtype=pl.String
    )
    level_of = np.array([LEVELS.index(levels[row]) for row in owners], dtype=np.int64)
    spans: list[set[Span]] = [set() for _ in texts]
    for finder in (*FORMS, *LABELLED, *PLACES, *name_finders(words)):
        asked = stretches.str.contains(finder.hint).to_numpy() & (level_of >= LEVELS.index(finder.least))
        for index in np.flatnonzero(asked):
            row = owners[index]
            spans[row].update(finder.find(matched[row], lows[index], highs[index]))
    for index in stretches.str.contains(DATE_HINT).arg_true():
        row = owners[index]
        everywhere = levels[row] == "personal"
        spans[row].update(find_dates(matched[row], lows[index], highs[index], ids[row], dates, everywhere))
    for text, found in zip(matched, spans, strict=True):
        values = {text[span.start : span.end] for span in found if span.kind == "NAME"}
        found.update(again(text, values, words))
    return [sorted(found, key=lambda span: (span.start, span.end, span.kind)) for found in spans]


def _stretches(texts: Sequence[str]) -> tuple[list[int], list[int], list[int]]:
    """Row, start and end of overlapping stretches of all texts."""
    owners, lows, highs = [], [], []
    for row, text in enumerate(texts):
        for low in range(0, max(len(text), 1), STRETCH):
            owners.append(row)
            lows.append(low)
            highs.append(min(low + STRETCH + OVERLAP, len(text)))
    return owners, lows, highs


def deidentify(
    text: str, doc_id: str = "", dates: Treatment = "year", level: Level = "personal"
) -> tuple[str, dict[str, int]]:
    """The text with marks, and how many of each class."""
    return marked(text, find_identifiers([text], [doc_id], [level], dates)[0])


@step("phi", edits_only=True, names_files=("lexicon",))
def phi(
    batch: Batch,
    *,
    dates: Treatment = "year",
    personal: list[str] = list(PERSONAL_TYPES),  # noqa: B006 - read only, shown in the recipe's schema
    public: list[str] = list(PUBLIC_TYPES),  # noqa: B006
    lexicon: str | None = None,
) -> Outcome:
    """Replace names, numbers, addresses and dates that identify a person by marks such as [NAME].

    `personal` are the source types about single persons, searched most thoroughly; `public` those
    that anyone may have written. The step comes before every step that drops, so that no dropped
    document keeps what it takes out.
    """
    words = load_lexicon(lexicon)
    counts = {kind: np.zeros(len(batch), np.int64) for kind in PRIORITY}
    types = batch.frame["source_type"]
    levels: list[Level] = [
        "personal" if one in personal else "public" if one in public else "published" for one in types
    ]
    ids = batch.frame["id"].to_list()
    titles, texts = batch.frame["title"].to_list(), batch.frame["text"].to_list()
    # Title and text are one document: a name that one tells is a name in the other, under the same mark.
    joined = [(title or "") + BETWEEN + (text or "") for title, text in zip(titles, texts, strict=True)]
    for row, spans in enumerate(find_identifiers(joined, ids, levels, dates, words)):
        if levels[row] == "personal" and is_chinese_name(titles[row] or "", words):
            spans = [*spans, Span(0, len(titles[row]), "NAME")]
        edge = len(titles[row] or "")
        spans = [span for span in spans if span.end <= edge or span.start >= edge + len(BETWEEN)]
        if not spans:
            continue
        whole, found = marked(joined[row], spans)
        title, texts[row] = whole.split(BETWEEN, 1)
        titles[row] = title if titles[row] is not None else None
        for kind, number in found.items():
            counts[kind][row] += number
    columns = {
        "title": pl.Series("title", titles, dtype=pl.String),
        "text": pl.Series("text", texts, dtype=pl.String),
    }
    return Outcome(columns=columns, edits={kind: found for kind, found in counts.items() if found.any()})
