"""Gopher quality rules (Rae et al. 2021, arXiv 2112.11446, appendix A.1.1), for both kinds of script.

In unspaced scripts words are not delimited: the rules on the number of words become rules on the
number of characters, the mean word length is not asked, and the stop words are Chinese function
characters, those of classical Chinese among them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numba import njit

from filters.layout import prose_of, second_look
from filters.step import Batch, Outcome, Rule, first_failures, step
from textcolumns.columns import TextColumn, sum_by_row
from textcolumns.segment import HAS_LETTER, IS_WORD

STOP_WORDS: Final = ("the", "be", "to", "of", "and", "that", "have", "with")
# The commonest function characters of modern Chinese, and those of classical prose.
STOP_CHARACTERS: Final = tuple("的是在和了有不为与及或对中等之也者而以其于则若曰")
ELLIPSIS: Final = 0x2026
BULLETS: Final = (0x2022, 0x2D, 0xB7, 0x25AA, 0x25CF)  # • - · ▪ ●
# Two thirds of a word a character (Chinese): 50 words are about 75 characters.
UNSPACED_MIN_CHARACTERS: Final = 75
UNSPACED_MAX_CHARACTERS: Final = 150_000

SCORES: Final = (
    "words",
    "mean_word_length",
    "hash_ratio",
    "ellipsis_ratio",
    "bullet_lines",
    "ellipsis_lines",
    "alphabetic_words",
    "stop_words",
)


@njit(cache=True)
def distinct_stop_words(hashes, bounds, unspaced, latin, chinese):  # type: ignore[no-untyped-def]
    """Number of different stop words of the row's script among its units, shape (rows,).

    `latin` and `chinese` are tables by `stop_table`.
    """
    rows = bounds.size - 1
    found = np.zeros(rows, np.int64)
    for row in range(rows):
        table = chinese if unspaced[row] else latin
        seen = np.zeros(table.size, np.bool_)
        mask = np.uint64(table.size - 1)
        for index in range(bounds[row], bounds[row + 1]):
            at = np.int64(hashes[index] & mask)
            if table[at] == hashes[index] and not seen[at]:
                seen[at] = True
                found[row] += 1
    return found


@lru_cache(maxsize=8)
def stop_table(words: tuple[str, ...]) -> np.ndarray:
    """Unit hashes of the words, each at the place of its low bits: a perfect hash table, 0 where free."""
    import polars as pl

    hashes = np.unique(TextColumn(pl.Series(list(words), dtype=pl.String)).units.hashes)
    size = 64
    while len(np.unique(hashes & np.uint64(size - 1))) < len(hashes):
        size *= 2
    table = np.zeros(size, np.uint64)
    table[(hashes & np.uint64(size - 1)).astype(np.int64)] = hashes
    return table


@njit(cache=True)
def _unit_sums(flags, lengths, starts, bounds, data, offsets):  # type: ignore[no-untyped-def]
    """Per row: words, their characters, units with a letter, and runs of three dots. Shape (rows, 4)."""
    rows = bounds.size - 1
    sums = np.zeros((rows, 4), np.int64)
    for row in range(rows):
        for index in range(bounds[row], bounds[row + 1]):
            flag = flags[index]
            if flag & IS_WORD:
                sums[row, 0] += 1
                sums[row, 1] += lengths[index]
            if flag & HAS_LETTER:
                sums[row, 2] += 1
            if flag == 0 and lengths[index] >= 3 and data[offsets[row] + starts[index]] == 0x2E:
                sums[row, 3] += lengths[index] // 3
    return sums


def quality_scores(
    batch: Batch, stop_words: tuple[str, ...], stop_characters: tuple[str, ...], symbols_are_words: bool
) -> dict[str, np.ndarray]:
    """The Gopher quality numbers, each of shape (rows,)."""
    column, units, lines = batch.column, batch.column.units, batch.column.lines
    sums = _unit_sums(units.flags, units.lengths, units.starts, units.bounds, column.data, column.offsets)
    words = sums[:, 0]
    all_units = np.maximum(column.unit_counts, 1)
    hashes, ellipses = (batch.text.str.count_matches(one, literal=True).to_numpy() for one in ("#", chr(ELLIPSIS)))
    line_count = np.maximum(lines.bounds[1:] - lines.bounds[:-1], 1)
    tables = stop_table(stop_words), stop_table(stop_characters)
    found_stop_words = distinct_stop_words(units.hashes, units.bounds, batch.unspaced, *tables)
    return {
        "words": words,
        "mean_word_length": sums[:, 1] / np.maximum(words, 1),
        "hash_ratio": hashes / all_units,
        "ellipsis_ratio": (ellipses + sums[:, 3]) / all_units,
        "bullet_lines": sum_by_row(np.isin(lines.firsts, BULLETS), lines.bounds) / line_count,
        "ellipsis_lines": sum_by_row((lines.dots >= 3) | (lines.lasts == ELLIPSIS), lines.bounds) / line_count,
        "alphabetic_words": sums[:, 2] / (all_units if symbols_are_words else np.maximum(words, 1)),
        "stop_words": found_stop_words,
    }


@step(
    "gopher_quality",
    scores=SCORES,
    source="Gopher: Rae et al. 2021, arXiv 2112.11446, appendix A.1.1",
    example={"min_words": 40},
)
def gopher_quality(
    batch: Batch,
    *,
    min_words: int = 50,
    max_words: int = 100_000,
    unspaced_min_words: int = UNSPACED_MIN_CHARACTERS,
    unspaced_max_words: int = UNSPACED_MAX_CHARACTERS,
    min_mean_word_length: float = 3,
    max_mean_word_length: float = 10,
    max_symbol_ratio: float = 0.1,
    max_bullet_lines: float = 0.9,
    max_ellipsis_lines: float = 0.3,
    min_alphabetic_words: float = 0.8,
    symbols_are_words: bool = False,
    min_stop_words: int = 2,
    stop_words: list[str] = list(STOP_WORDS),  # noqa: B006 - read only, shown in the recipe's schema
    stop_characters: list[str] = list(STOP_CHARACTERS),  # noqa: B006
    layout_counts: bool = False,
) -> Outcome:
    """Drop texts that do not look like prose (Gopher): length, word shape, symbols, stop words.

    The paper asks that 80% of the words hold a letter. datatrove counts each punctuation mark as a
    word of its own there, which drops half of all journal articles for their citations and
    statistics; `symbols_are_words: true` does the same, for comparison. What fails is looked at again
    without its layout (capitals, rows of tables, marks of a list of sentences) unless `layout_counts`.
    """
    unspaced = batch.unspaced
    scores = quality_scores(batch, tuple(stop_words), tuple(stop_characters), symbols_are_words)
    rules = [
        Rule("words", "below", np.where(unspaced, float(unspaced_min_words), float(min_words)), "min_words"),
        Rule("words", "above", np.where(unspaced, float(unspaced_max_words), float(max_words)), "max_words"),
        Rule("mean_word_length", "below", np.where(unspaced, np.nan, min_mean_word_length), "min_mean_word_length"),
        Rule("mean_word_length", "above", np.where(unspaced, np.nan, max_mean_word_length), "max_mean_word_length"),
        Rule("hash_ratio", "above", max_symbol_ratio, "max_symbol_ratio"),
        Rule("ellipsis_ratio", "above", max_symbol_ratio, "max_symbol_ratio"),
        Rule("bullet_lines", "above", max_bullet_lines, "max_bullet_lines"),
        Rule("ellipsis_lines", "above", max_ellipsis_lines, "max_ellipsis_lines"),
        Rule("alphabetic_words", "below", min_alphabetic_words, "min_alphabetic_words"),
        Rule("stop_words", "below", min_stop_words, "min_stop_words"),
    ]
    reasons = first_failures(scores, rules, len(batch))
    if not layout_counts:
        reasons = second_look(
            batch,
            reasons,
            prose_of,
            lambda again: gopher_quality(
                again, min_words=min_words, max_words=max_words, unspaced_min_words=unspaced_min_words,
                unspaced_max_words=unspaced_max_words, min_mean_word_length=min_mean_word_length,
                max_mean_word_length=max_mean_word_length, max_symbol_ratio=max_symbol_ratio,
                max_bullet_lines=max_bullet_lines,
                max_ellipsis_lines=max_ellipsis_lines, min_alphabetic_words=min_alphabetic_words,
                symbols_are_words=symbols_are_words, min_stop_words=min_stop_words, stop_words=stop_words,
                stop_characters=stop_characters, layout_counts=True,
            ),
        )  # fmt: skip
    return Outcome(scores=scores, reasons=reasons)
