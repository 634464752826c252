"""A second look at a text whose layout a rule of prose took for a fault: capitals, tables, lists, headings.

Rules of Gopher and FineWeb were made for pages of the web. A report in capitals has the stop words of one in small
letters, rows of a table are no sentences, and a list of recommendations is prose line by line. So what fails such a
rule is looked at once more without its layout; what passes then was failed by layout alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from filters.step import Batch, Outcome
from textcolumns.characters import matching
from textcolumns.columns import TextColumn
from textcolumns.segment import LOWER, UPPER, count_cases

CAPITALS: Final = 0.6  # share of capitals among cased letters from which a text is set in capitals
ITEM_MARKS: Final = "-*•·▪●"
ITEM: Final = re.compile(rf"^\s*(?:[{ITEM_MARKS}]|\d{{1,3}}[.)、])\s+(.*)$")
HEADING: Final = re.compile(r"^#{1,6}\s")
SENTENCE_WORDS: Final = 5  # an item of so many words is a line of prose
SENTENCE_IDEOGRAPHS: Final = 10
LEAST_PROSE: Final = 0.2  # of the characters of a text: with less of it the rest is no layout of prose
LEAST_CHARACTERS: Final = 100


def prose_of(text: pl.Series) -> pl.Series:
    """Texts in small letters where they are set in capitals, without rows of tables, and without marks of items."""
    return in_small_letters(pl.Series([_without_rows_and_marks(one) for one in text], dtype=pl.String))


def _without_rows_and_marks(text: str) -> str:
    lines = []
    for line in text.split("\n"):
        if "|" in line:
            continue
        item = _item(line)
        lines.append(item[1] if item and _is_sentence(item[1]) else line)
    return "\n".join(lines)


def without_lists(text: pl.Series) -> pl.Series:
    """The lines that are neither headings, items nor rows; null where they are too little of the text."""
    return pl.Series([_without_lists(one) for one in text], dtype=pl.String)


def _without_lists(text: str) -> str | None:
    written = text.split("\n")
    lines = [line for line in written if not ("|" in line or _item(line) or HEADING.match(line))]
    told = "\n".join(lines).strip()
    enough = len(told) >= max(LEAST_CHARACTERS, LEAST_PROSE * len(text))
    return told if enough and len(lines) < len(written) else None


def in_small_letters(text: pl.Series) -> pl.Series:
    """Texts set in capitals in small letters, the others as they are."""
    column = TextColumn(text)
    capitals, small = count_cases(column.data, column.offsets, _cases()).T
    shout = pl.Series((capitals > 20) & (capitals > CAPITALS * (capitals + small)))
    if not shout.any():
        return text
    return (
        pl.DataFrame({"t": text, "s": shout})
        .select(pl.when("s").then(pl.col("t").str.to_lowercase()).otherwise("t"))
        .to_series()
    )


@lru_cache(maxsize=1)
def _cases() -> npt.NDArray[np.uint8]:
    return np.where(matching(r"\p{Lu}"), UPPER, np.where(matching(r"\p{Ll}"), LOWER, 0)).astype(np.uint8)


def second_look(
    batch: Batch, reasons: pl.Series, changed: Callable[[pl.Series], pl.Series], again: Callable[[Batch], Outcome]
) -> pl.Series:
    """Reasons without those of texts that pass once they are `changed`; null from it: nothing to look at."""
    failed = reasons.is_not_null().arg_true()
    old = batch.text.gather(failed)
    new = changed(old)
    differ = (new.ne(old) & new.ne("")).fill_null(False)
    rows = failed.filter(differ)
    if rows.is_empty():
        return reasons
    told = again(Batch(batch.frame[rows].with_columns(text=new.filter(differ)))).reasons
    passed = rows if told is None else rows.filter(told.is_null())
    return reasons.scatter(passed, None) if len(passed) else reasons


def _item(line: str) -> re.Match[str] | None:
    """The line as an item of a list; most lines are told from one by their first character."""
    first = line.lstrip()[:1]
    return ITEM.match(line) if first != "" and (first in ITEM_MARKS or first.isdecimal()) else None


def _is_sentence(words: str) -> bool:
    return len(words.split()) >= SENTENCE_WORDS or len(re.findall(r"[\u4e00-\u9fff]", words)) >= SENTENCE_IDEOGRAPHS
