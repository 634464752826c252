"""Merged cells of a workbook's sheets (ECMA-376, part 1, 18.3.1.55), which readers of values do not tell."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from dataclasses import dataclass
from typing import Final

from sources.markup.elements import descendants, parse_xml

RELATION: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
PLACE: Final = re.compile(r"([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})")
MOST_CELLS: Final = 100_000  # of all merged ranges of a sheet; what spans more is decoration


@dataclass(frozen=True)
class MergedRange:
    """Rows and columns of one merged cell, counted from 0."""

    rows: range
    columns: range


def merged_ranges(data: bytes) -> dict[int, list[MergedRange]]:
    """Merged ranges by the number of the sheet, in the workbook's order; none where the file tells none."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    names = set(archive.namelist())
    if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= names:
        return {}
    relations = parse_xml(archive.read("xl/_rels/workbook.xml.rels"))
    targets = {one.get("Id"): one.get("Target") or "" for one in descendants(relations, "Relationship")}
    found = {}
    for number, sheet in enumerate(descendants(parse_xml(archive.read("xl/workbook.xml")), "sheet")):
        target = targets.get(sheet.get(RELATION), "")
        path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
        if path in names and b"<mergeCell" in (raw := archive.read(path)):
            found[number] = _ranges(raw)
    return found


def _ranges(sheet: bytes) -> list[MergedRange]:
    told, room = [], MOST_CELLS
    for match in re.finditer(rb'<mergeCell[^>]*\bref="([^"]+)"', sheet):
        place = PLACE.fullmatch(match[1].decode("ascii", "replace"))
        if place is None:
            continue
        rows = range(int(place[2]) - 1, int(place[4]))
        columns = range(_column(place[1]), _column(place[3]) + 1)
        room -= len(rows) * len(columns)
        if room < 0:
            break
        told.append(MergedRange(rows, columns))
    return told


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1
