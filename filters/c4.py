"""C4 rules (Raffel et al. 2020, JMLR 21:140, section 2.2): unfit lines go, then unfit documents.

Lines without end punctuation, of fewer than three words, with a word of over 1,000 characters, or
that speak of cookies and terms of use are taken out; documents with "lorem ipsum", a curly bracket
or fewer than five sentences are dropped. Headings and table rows are short and end without
punctuation, and formulas hold curly brackets, so recipes for medical text turn these rules off.
"""

from __future__ import annotations

from itertools import compress
from typing import Final

import numpy as np
import polars as pl

from filters.step import Batch, Outcome, step
from textcolumns.columns import TextColumn, sum_by_row

END_PUNCTUATION: Final = tuple(map(ord, ".?!\"'"))
UNSPACED_END_PUNCTUATION: Final = tuple(map(ord, "。？！”’」』；."))
POLICY: Final = (
    r"(?i)javascript|terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies"
    "|隐私政策|用户协议|使用条款|使用cookie"
)
LOREM: Final = r"(?i)lorem ipsum"
CITATION: Final = r"\[\d*\]|\[edit\]|\[citation needed\]"
MAX_WORD_LENGTH: Final = 1000

SCORES: Final = ("sentences",)


@step(
    "c4",
    scores=SCORES,
    source="C4: Raffel et al. 2020, JMLR 21:140, section 2.2",
    example={"terminal_punctuation": False, "where": "source_type = 'web'"},
)
def c4(
    batch: Batch,
    *,
    terminal_punctuation: bool = True,
    curly_bracket: bool = True,
    lorem_ipsum: bool = True,
    policy_lines: bool = True,
    citations: bool = True,
    min_sentences: int = 5,
    min_words_per_line: int = 3,
    unspaced_min_characters_per_line: int = 5,
    max_word_length: int = MAX_WORD_LENGTH,
) -> Outcome:
    """Take out lines that are not prose, then drop documents with too few sentences (C4)."""
    text = batch.text.str.replace_all(CITATION, "") if citations else batch.text
    column = batch.column if text.equals(batch.text) else TextColumn(text)
    lines = column.lines
    unspaced = np.repeat(batch.unspaced, lines.bounds[1:] - lines.bounds[:-1])
    blank = lines.stripped == 0
    longest = np.where(unspaced, 0, lines.longest)  # an unspaced line is one long "word" by nature
    keep = longest <= max_word_length
    if terminal_punctuation:
        ends = np.isin(lines.lasts, END_PUNCTUATION) & (lines.dots < 3)
        keep &= ends | (unspaced & np.isin(lines.lasts, UNSPACED_END_PUNCTUATION)) | blank
    enough = np.where(unspaced, lines.stripped >= unspaced_min_characters_per_line, lines.words >= min_words_per_line)
    keep &= enough | blank
    if policy_lines:
        keep &= ~_lines_matching(text, column, POLICY)
    sentences = sum_by_row(np.where(keep & ~blank, lines.sentences, 0), lines.bounds)
    removed = sum_by_row(~keep, lines.bounds)
    edited = _without_lines(text, column, keep, removed)

    reasons = pl.DataFrame({"text": text, "sentences": sentences}).select(
        pl.when(pl.lit(lorem_ipsum) & pl.col("text").str.contains(LOREM))
        .then(pl.lit("contains 'lorem ipsum'"))
        .when(pl.lit(curly_bracket) & pl.col("text").str.contains("{", literal=True))
        .then(pl.lit("contains a curly bracket"))
        .when(pl.col("sentences") < min_sentences)
        .then(pl.format("sentences={} < min_sentences={}", pl.col("sentences"), pl.lit(min_sentences)))
        .otherwise(None)
    )
    return Outcome(
        scores={"sentences": sentences},
        columns={"text": edited.alias("text")},
        edits={"lines removed": removed.astype(np.int64)},
        reasons=reasons.to_series().cast(pl.String),
    )


def _lines_matching(text: pl.Series, column: TextColumn, pattern: str) -> np.ndarray:
    """Lines that match `pattern`, shape (lines,); only texts that match at all are looked into."""
    matching = np.zeros(len(column.lines.lengths), dtype=bool)
    hits = text.str.contains(pattern).fill_null(False).arg_true()
    for row in hits:
        first = column.lines.bounds[row]
        found = text[row : row + 1].str.split("\n").explode().str.contains(pattern).to_numpy()
        matching[first : first + len(found)] = found
    return matching


def _without_lines(text: pl.Series, column: TextColumn, keep: np.ndarray, removed: np.ndarray) -> pl.Series:
    """The texts without their unkept lines; texts that lose none are not copied."""
    touched = np.flatnonzero(removed)
    if not len(touched):
        return text
    bounds = column.lines.bounds
    replaced = []
    for row in touched:
        of_row = keep[bounds[row] : bounds[row + 1]].tolist()
        replaced.append("\n".join(compress(text[int(row)].split("\n"), of_row)).strip())
    return text.scatter(touched, replaced) if len(touched) < len(text) else pl.Series("text", replaced)
