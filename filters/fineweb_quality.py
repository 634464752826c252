"""FineWeb's own quality rules (Penedo et al. 2024, arXiv 2406.17557, section 3.5), for both kinds of script.

An ideograph carries about as much as three letters, so a line is short below 10 of them where
English says 30; a Chinese word has about two characters, so the share of line breaks to words
counts half the units.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from filters.gopher_repetition import UNITS_PER_WORD_UNSPACED, duplicate_items
from filters.layout import second_look, without_lists
from filters.step import Batch, Outcome, Rule, first_failures, step
from textcolumns.columns import sum_by_row

TERMINAL_PUNCTUATION: Final = tuple(map(ord, ".!?。！？．｡؟…‼⁇⁈⁉।॥။።"))
# Closing quotes and brackets that Chinese sets after the full stop.
UNSPACED_CLOSERS: Final = tuple(map(ord, "；”’」』）：;:"))
SHORT_LINE: Final = 30
UNSPACED_SHORT_LINE: Final = 10

SCORES: Final = ("terminal_lines", "short_lines", "duplicate_line_share", "line_breaks_per_word")


@step(
    "fineweb_quality",
    scores=SCORES,
    source="FineWeb: Penedo et al. 2024, arXiv 2406.17557, section 3.5",
    example={"where": "source_type = 'web'"},
)
def fineweb_quality(
    batch: Batch,
    *,
    min_terminal_lines: float = 0.12,
    max_short_lines: float = 0.67,
    short_line: int = SHORT_LINE,
    unspaced_short_line: int = UNSPACED_SHORT_LINE,
    max_duplicate_line_characters: float = 0.01,
    max_line_breaks_per_word: float = 0.3,
    layout_counts: bool = False,
) -> Outcome:
    """Drop lists, menus and repeated lines (FineWeb): line ends, short lines, repeats, breaks.

    What fails is looked at again without headings, lists and tables, where enough prose stands beside them, unless
    `layout_counts`.
    """
    column, lines = batch.column, batch.column.lines
    unspaced = batch.unspaced
    of_unspaced = np.repeat(unspaced, lines.bounds[1:] - lines.bounds[:-1])
    written = lines.stripped > 0
    bounds = np.concatenate(([0], np.cumsum(written)))[lines.bounds]
    count = np.maximum(sum_by_row(written, lines.bounds), 1)
    terminal = np.isin(lines.lasts, TERMINAL_PUNCTUATION) | (np.isin(lines.lasts, UNSPACED_CLOSERS) & of_unspaced)
    short = lines.lengths <= np.where(of_unspaced, unspaced_short_line, short_line)
    _, repeated = duplicate_items(lines.hashes[written], lines.lengths[written], bounds)
    line_breaks = lines.bounds[1:] - lines.bounds[:-1] - 1
    words = column.unit_counts / np.where(unspaced, UNITS_PER_WORD_UNSPACED, 1)
    scores = {
        "terminal_lines": sum_by_row(terminal & written, lines.bounds) / count,
        "short_lines": sum_by_row(short & written, lines.bounds) / count,
        "duplicate_line_share": repeated / np.maximum(sum_by_row(lines.lengths, lines.bounds), 1),
        "line_breaks_per_word": line_breaks / np.maximum(words, 1),
    }
    rules = [
        Rule("terminal_lines", "below", min_terminal_lines, "min_terminal_lines"),
        Rule("short_lines", "above", max_short_lines, "max_short_lines"),
        Rule("duplicate_line_share", "above", max_duplicate_line_characters, "max_duplicate_line_characters"),
        Rule("line_breaks_per_word", "above", max_line_breaks_per_word, "max_line_breaks_per_word"),
    ]
    reasons = first_failures(scores, rules, len(batch))
    if not layout_counts:
        reasons = second_look(
            batch,
            reasons,
            without_lists,
            lambda again: fineweb_quality(
                again, min_terminal_lines=min_terminal_lines, max_short_lines=max_short_lines, short_line=short_line,
                unspaced_short_line=unspaced_short_line, max_duplicate_line_characters=max_duplicate_line_characters,
                max_line_breaks_per_word=max_line_breaks_per_word, layout_counts=True,
            ),
        )  # fmt: skip
    return Outcome(scores=scores, reasons=reasons)
