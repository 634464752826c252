"""A second look at a text whose layout a rule of prose took for a fault: capitals, tables, lists, headings.

Rules of Gopher and FineWeb were made for pages of the web. A report in capitals has the stop words of one in small
letters, rows of a table are no sentences, and a list of recommendations is prose line by line. So what fails such a
rule is looked at once more without its layout; what passes then was failed by layout alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import polars as pl

from filters.step import Batch, Outcome

CAPITALS: Final = 0.6  # share of capitals among cased letters from which a text is set in capitals
ROW: Final = re.compile(r"^\s*\|?[^|\n]*\|[^\n]*$")
ITEM: Final = re.compile(r"^\s*(?:[-*•·▪●]|\d{1,3}[.)、])\s+(.*)$")
HEADING: Final = re.compile(r"^#{1,6}\s")
SENTENCE_WORDS: Final = 5  # an item of so many words is a line of prose
SENTENCE_IDEOGRAPHS: Final = 10
LEAST_PROSE: Final = 0.2  # of the characters of a text: with less of it the rest is no layout of prose
LEAST_CHARACTERS: Final = 100


def prose_of(text: str) -> str:
    """The text in small letters where it is set in capitals, without rows of tables, and without marks of items."""
    lines = []
    for line in text.split("\n"):
        if ROW.match(line):
            continue
        item = ITEM.match(line)
        lines.append(item[1] if item and _is_sentence(item[1]) else line)
    told = "\n".join(lines)
    return str(in_small_letters(pl.Series([told]))[0])


def without_lists(text: str) -> str | None:
    """The lines that are neither headings, items nor rows; None where they are too little of the text."""
    lines = [line for line in text.split("\n") if not (ROW.match(line) or ITEM.match(line) or HEADING.match(line))]
    told = "\n".join(lines).strip()
    enough = len(told) >= max(LEAST_CHARACTERS, LEAST_PROSE * len(text))
    return told if enough and len(lines) < text.count("\n") + 1 else None


def in_small_letters(text: pl.Series) -> pl.Series:
    """Texts set in capitals in small letters, the others as they are."""
    capitals, small = text.str.count_matches(r"\p{Lu}"), text.str.count_matches(r"\p{Ll}")
    shout = (capitals > 20) & (capitals > CAPITALS * (capitals + small))
    if not shout.any():
        return text
    return (
        pl.DataFrame({"t": text, "s": shout})
        .select(pl.when("s").then(pl.col("t").str.to_lowercase()).otherwise("t"))
        .to_series()
    )


def second_look(
    batch: Batch, reasons: pl.Series, changed: Callable[[str], str | None], again: Callable[[Batch], Outcome]
) -> pl.Series:
    """Reasons without those of texts that pass once they are `changed`; None from it: nothing to look at."""
    failed = reasons.is_not_null().arg_true()
    looked = ((row, old, changed(old)) for row, old in zip(failed, batch.text.gather(failed), strict=True))
    rows = [(row, text) for row, old, text in looked if text and text != old]
    if not rows:
        return reasons
    frame = batch.frame[[row for row, _ in rows]].with_columns(
        text=pl.Series([text for _, text in rows], dtype=pl.String)
    )
    told = again(Batch(frame)).reasons
    passed = {
        row for (row, _), why in zip(rows, told if told is not None else [None] * len(rows), strict=True) if why is None
    }
    return pl.Series(reasons.name, [None if at in passed else why for at, why in enumerate(reasons)], dtype=pl.String)


def _is_sentence(words: str) -> bool:
    return len(words.split()) >= SENTENCE_WORDS or len(re.findall(r"[\u4e00-\u9fff]", words)) >= SENTENCE_IDEOGRAPHS
