"""Tables laid out: each value under its heading, whatever spans rows and columns. One model for all readers.

A value that spans stands in each of its rows and columns, so that a line can be read by itself; one that spans a
whole row stands there once, as the heading of the rows below it. Empty cells stay cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MOST_COLUMNS: Final = 1000  # HTML's own bound on a cell's span
MOST_CELLS: Final = 400_000  # of a laid-out table; what spans beyond it stands once


@dataclass(frozen=True)
class Cell:
    """A cell's text, and how many rows and columns it spans (0 rows: to the table's end)."""

    text: str
    rows: int = 1
    columns: int = 1


def span(value: str | None) -> int:
    """What an attribute says of a span; 1 where it says nothing sensible."""
    digits = (value or "").strip()
    return min(int(digits), 65534) if digits.isascii() and digits.isdigit() and len(digits) < 12 else 1


def laid_out(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """Rows of equal width; HTML's algorithm (living standard, 4.9.12), each spanning value repeated."""
    grid: list[dict[int, str]] = [{} for _ in rows]
    room = MOST_CELLS
    for number, row in enumerate(rows):
        column = 0
        for cell in row:
            while column in grid[number]:
                column += 1
            columns = max(1, min(cell.columns, MOST_COLUMNS))
            down = min(cell.rows or len(rows), len(rows) - number)
            if columns * down > room:
                columns, down = 1, 1
            room -= columns * down
            for line in grid[number : number + down]:
                for at in range(column, column + columns):
                    line.setdefault(at, cell.text)
            column += columns
    width = max((max(line) + 1 for line in grid if line), default=0)
    if width * len(grid) > 2 * MOST_CELLS:
        return [[line[at] for at in sorted(line)] for line in grid]
    return [[line.get(at, "") for at in range(width)] for line in grid]


def table_text(rows: Sequence[Sequence[Cell]], caption: str = "", notes: Sequence[str] = ()) -> str:
    """Caption, lines of cells between bars, notes; rows without any text are left out."""
    lines = [_line(line) for line in laid_out(rows) if any(line)]
    return "\n".join(filter(None, [caption, *lines, *notes]))


def _line(cells: Sequence[str]) -> str:
    if len(cells) > 1 and len(set(cells)) == 1:
        return cells[0]
    return " | ".join(cells)
