"""Plain text that lines and blanks set: wrapped paragraphs, lists of one item a line, and tables that blanks align.

A blank line ends a block, and each block is judged by itself: only the lines of a wrapped paragraph are joined. In such
a paragraph most lines go on in small letters; items of a list begin anew each.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from sources.markup.hyphens import joined, words_of

FEWEST_LINES: Final = 10  # of a text, below which nothing tells a width
WIDTHS: Final = (20, 120)
NEAR: Final = 0.4  # share of lines that must be about as long as the width
FULL: Final = 0.85  # of the width, from which a line may go on in the next
GOING_ON: Final = 0.2  # share of following lines in small letters, below which lines are items
TELLING: Final = 3  # following lines of a block that judge it by themselves; fewer are judged with the whole text
CAPITALS: Final = 0.6  # share of capitals among cased letters, from which lines are set in capitals
DOSE: Final = re.compile(
    r"\d\s*(?:mg|mcg|µg|μg|g|ml|mL|IU|units?|U|%|毫克|微克|克|毫升|单位|片|粒|支|袋|丸)(?![A-Za-z])"
)
DOSED: Final = 0.8  # share of the lines of a block
GAP: Final = re.compile(r"\S(?: {2,}|\t+)\S")
FEWEST_ROWS: Final = 3
LONGEST_CELL: Final = 30  # characters; two columns of prose are no table
FILLER: Final = "\ufdd4"  # stands behind a wide character, which takes two places; never in text


def unset(text: str) -> str:
    """The text with wrapped paragraphs joined and aligned tables as rows of cells."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = with_rows(lines)
    return unwrap(lines)


def with_rows(lines: Sequence[str]) -> list[str]:
    """Lines, those of aligned tables as `a | b | c`: each value in the column that it stands under."""
    out: list[str] = []
    at = 0
    while at < len(lines):
        end = at
        while end < len(lines) and GAP.search(lines[end]):
            end += 1
        rows = _rows(lines[at:end]) if end - at >= FEWEST_ROWS else None
        out += rows or lines[at : max(end, at + 1)]
        at = max(end, at + 1)
    return out


def _rows(block: Sequence[str]) -> list[str] | None:
    """Rows of cells, where columns stay free of words over the whole block; None where it is no table."""
    by_tab = [line.strip("\n").split("\t") for line in block]
    if {len(row) for row in by_tab} == {max(map(len, by_tab))} and len(by_tab[0]) > 1:
        cells = [[cell.strip() for cell in row] for row in by_tab]
    else:
        set_out = [_places(line.rstrip().expandtabs(8)) for line in block]
        width = max(map(len, set_out))
        free = [all(at >= len(line) or line[at] == " " for line in set_out) for at in range(width)]
        cuts = _columns(free)
        if len(cuts) < 2:
            return None
        cells = [[line[start:end].replace(FILLER, "").strip() for start, end in cuts] for line in set_out]
    values = [cell for row in cells for cell in row[1:] if cell]
    if not values or sorted(map(len, values))[len(values) // 2] > LONGEST_CELL:
        return None
    return [" | ".join(row) for row in cells]


def _places(line: str) -> str:
    """One character for each place that the line takes on a screen."""
    return "".join(sign + FILLER if unicodedata.east_asian_width(sign) in "WF" else sign for sign in line)


def _columns(free: Sequence[bool]) -> list[tuple[int, int]]:
    """Stretches between at least two free places."""
    found: list[tuple[int, int]] = []
    start: int | None = None
    for at in range(len(free) + 1):
        ends = at == len(free) or (free[at] and (at + 1 >= len(free) or free[at + 1]))
        if start is None and at < len(free) and not free[at]:
            start = at
        elif start is not None and ends:
            found.append((start, at))
            start = None
    return found


def unwrap(lines: Sequence[str]) -> str:
    """Join lines that were broken at a fixed width; a short line ends its paragraph, and items stay lines."""
    text = "\n".join(lines)
    lengths = sorted(len(line.rstrip()) for line in lines if line.strip())
    if len(lengths) < FEWEST_LINES:
        return text
    width = lengths[int(0.9 * (len(lengths) - 1))]
    near = sum(FULL * width <= length <= 1.08 * width for length in lengths) / len(lengths)
    if not (WIDTHS[0] <= width <= WIDTHS[1] and near > NEAR):
        return text
    blocks = _blocks(lines)
    mostly_items = _are_items([line for block in blocks for line in block[1:]])
    out: list[str] = []
    words = words_of(text)
    for block in blocks:
        if (_are_items(block[1:]) if len(block) > TELLING else mostly_items) or _are_doses(block):
            out += [line.strip() for line in block]
        else:
            _join(block, width, words, out)
    return "\n".join(out)


def _blocks(lines: Sequence[str]) -> list[list[str]]:
    """Lines between blank ones; a blank line is a block of its own."""
    found: list[list[str]] = []
    open_block = False
    for line in lines:
        if line.strip() and open_block:
            found[-1].append(line)
        else:
            found.append([line])
        open_block = bool(line.strip())
    return found


def _are_items(following: Sequence[str]) -> bool:
    """Whether following lines begin anew; what no letter of two cases begins, tells nothing."""
    firsts = [line.strip()[:1] for line in following if line.strip()]
    small = sum(sign.islower() for sign in firsts)
    anew = sum(sign.isupper() or sign.isdigit() for sign in firsts)
    letters = [sign for line in following for sign in line if sign.isalpha() and sign.lower() != sign.upper()]
    if sum(map(str.isupper, letters)) > CAPITALS * len(letters):  # in capitals every line begins with one
        return False
    return small + anew >= max(TELLING, len(firsts) / 2) and small < GOING_ON * (small + anew)


def _are_doses(block: Sequence[str]) -> bool:
    """Whether nearly each line says a dose, as in lists of drugs in scripts that have no capitals."""
    return len(block) > TELLING and sum(bool(DOSE.search(line)) for line in block) >= DOSED * len(block)


def _join(block: Sequence[str], width: float, words: frozenset[str], out: list[str]) -> None:
    open_line = False
    for line in block:
        bare = line.strip()
        if not bare or bare.startswith(("#", "- ")) or " | " in bare:
            out.append(bare)
            open_line = False
            continue
        if open_line and not line.startswith(("  ", "\t", "\u3000")):
            whole = joined(out[-1], bare, words)
            out[-1] = whole or out[-1] + ("" if _unspaced(out[-1][-1:], bare[0]) else " ") + bare
        else:
            out.append(bare)
        open_line = len(line.rstrip()) >= FULL * width or len(bare) <= 2


def _unspaced(left: str, right: str) -> bool:
    return any("\u3000" <= char <= "\u9fff" or "\uff00" <= char <= "\uffef" for char in (left, right) if char)
