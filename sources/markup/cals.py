"""CALS tables (OASIS exchange model, TR 9503:1995), which CNXML and books in BITS use: their entries as cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sources.markup.elements import descendants, local
from sources.markup.tables import Cell, span


def cals_rows(table: Any, text: Callable[[Any], str]) -> list[list[Cell]]:
    """Rows of head, body and foot; entries stand at their columns, by name or number, and go on below."""
    columns = {
        one.get("colname"): int(one.get("colnum") or number)
        for number, one in enumerate(descendants(table, "colspec"), 1)
        if (one.get("colnum") or "1").isdigit()
    }
    rows = []
    for part in ("thead", "tbody", "tfoot"):
        for group in descendants(table, part):
            for row in (one for one in group if local(one) == "row"):
                rows.append([_cell(one, columns, text) for one in row if local(one) in ("entry", "entrytbl")])
    return rows


def _cell(entry: Any, columns: dict[str | None, int], text: Callable[[Any], str]) -> Cell:
    first, last = (columns.get(entry.get(name)) for name in ("namest", "nameend"))
    wide = last - first + 1 if first and last and last >= first else 1
    more = entry.get("morerows") or ""
    return Cell(text(entry), span(more) + 1 if more.isdigit() else 1, wide)
