"""Days written out: ISO, month first where all are numbers, month names, Chinese."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_NAME: Final = r"(jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*\.?"
_FORMS: Final = (
    (re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)"), "ymd"),
    (re.compile(r"(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]?"), "ymd"),
    (re.compile(r"(?<!\d)(\d{1,2})\s*[/.-]\s*(\d{1,2})\s*[/.-]\s*(\d{4}|\d{2})(?!\d)"), "mdy"),
    (re.compile(rf"\b{_NAME}\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})", re.IGNORECASE), "Mdy"),
    (
        re.compile(rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th)?\s*(?:of\s+)?[-\s]?{_NAME},?[-\s]*(\d{{4}})", re.IGNORECASE),
        "dMy",
    ),
)


@dataclass(frozen=True)
class Day:
    """A day and where its words begin and end."""

    day: date
    start: int
    end: int


def dates_in(text: str) -> list[Day]:
    """Days of a text in their order; numbers that are no day are none."""
    found: list[Day] = []
    for form, order in _FORMS:
        for one in form.finditer(text[:20_000]):
            if any(one.start() < other.end and other.start < one.end() for other in found):
                continue
            day = _day(one, order)
            if day is not None:
                found.append(Day(day, one.start(), one.end()))
    return sorted(found, key=lambda one: one.start)


def _day(one: re.Match[str], order: str) -> date | None:
    first, second, third = one[1], one[2], one[3]
    try:
        if order == "ymd":
            return date(int(first), int(second), int(third))
        if order == "mdy":
            year = int(third) + (2000 if len(third) == 2 else 0)
            return date(year, int(first), int(second))
        if order == "Mdy":
            return date(int(third), _MONTHS[first[:3].lower()], int(second))
        return date(int(third), _MONTHS[second[:3].lower()], int(first))
    except ValueError:
        return None
