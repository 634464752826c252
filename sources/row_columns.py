"""What rows tell of a document in columns of their own: date, licence, language, grade, DOI, retraction, edition.

A column is known by its name, or named by the recipe (`columns: {published: date}`). A value that cannot be what its
column says is left out, and told: nothing is guessed from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

from schemas.document import AUTHORITY_GRADES
from schemas.identifiers import doi_of
from schemas.recipe import RowColumn

# What ends the edit that tells of a value.
MISFIT: Final = " of the row does not fit"
ABSENT: Final = " is not in the row, though the recipe says where"
# What a column is called where the recipe says nothing.
NAMES: Final[Mapping[RowColumn, tuple[str, ...]]] = {
    "published": ("published", "date"),
    "licence": ("licence", "license"),
    "language": ("language", "lang"),
    "authority": ("authority",),
    "doi": ("doi", "DOI"),
    "retracted": ("retracted", "is_retracted"),
    "series": ("series",),
    "edition": ("edition",),
    "publisher": ("publisher",),
    "issn": ("issn", "ISSN"),
}
DAY: Final = re.compile(r"(\d{4})(?:[-/.年](\d{1,2})(?:[-/.月](\d{1,2})日?)?月?)?年?(?:[T ]\d{1,2}:\d{2}.*)?")
COMPACT: Final = re.compile(r"(\d{4})(\d{2})(\d{2})")
WRITTEN: Final = (("%d %B %Y", 3), ("%d %b %Y", 3), ("%B %d, %Y", 3), ("%b %d, %Y", 3), ("%B %Y", 2), ("%b %Y", 2))
YEARS: Final = range(1000, 2101)
TAG: Final = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9]{2,8})*", re.IGNORECASE)
# ISO 639-2 and names, for the languages of this project; other codes of two letters are taken as they are.
LANGUAGES: Final = {
    **dict.fromkeys(("eng", "english", "英文", "英语"), "en"),
    **dict.fromkeys(("zho", "chi", "cmn", "chinese", "中文", "汉语"), "zh"),
}
YES: Final = {"true", "1", "1.0", "yes", "y", "t", "是"}
NO: Final = {"false", "0", "0.0", "no", "n", "f", "否", "none", "null", ""}
MOST_CHARACTERS: Final = 300


def told_by(row: Mapping[str, Any], named: Mapping[RowColumn, str] | None) -> tuple[dict[str, Any], list[str]]:
    """Values by column of the document, and what is to be said of values that are not taken."""
    found: dict[str, Any] = {}
    said: list[str] = []
    for column, usual in NAMES.items():
        own = named.get(column) if named else None
        names = (own,) if own is not None else usual
        value = next((row[name] for name in names if row.get(name) not in (None, "")), None)
        if value is None:
            if own is not None and own not in row:
                said.append(column + ABSENT)
            continue
        fitting = FITS.get(column, _words)(value)
        if fitting is None:
            said.append(column + MISFIT)
        else:
            found[column] = fitting
    return found, said


def _words(value: Any) -> str | None:
    told = str(value).strip()
    return told if 0 < len(told) <= MOST_CHARACTERS and "\n" not in told else None


def _published(value: Any) -> str | None:
    """A year, a month or a day in ISO 8601, out of that, of 2021/3/4, 20210304, 2021年3月4日 or 4 March 2021."""
    if isinstance(value, datetime | date):
        return value.strftime("%Y-%m-%d")
    told = str(value).strip()
    if (found := COMPACT.fullmatch(told)) or (found := DAY.fullmatch(told)):
        parts = [int(part) for part in found.groups() if part]
        return _day(*parts)
    for form, precision in WRITTEN:
        try:
            read = datetime.strptime(" ".join(told.split()), form)
        except ValueError:
            continue
        return _day(*(read.year, read.month, read.day)[:precision])
    return None


def _day(year: int, month: int | None = None, day: int | None = None) -> str | None:
    try:
        date(year, month or 1, day or 1)
    except ValueError:
        return None
    if year not in YEARS:
        return None
    return f"{year:04d}" + "".join(f"-{part:02d}" for part in (month, day) if part is not None)


def _language(value: Any) -> str | None:
    told = str(value).strip().lower()
    if told in LANGUAGES:
        return LANGUAGES[told]
    found = TAG.fullmatch(told)
    return LANGUAGES.get(found[1], found[1]) if found else None


def _grade(value: Any) -> str | None:
    told = str(value).strip().upper()
    return told if told in AUTHORITY_GRADES else None


def _truth(value: Any) -> bool | None:
    told = str(value).strip().lower()
    return True if told in YES else False if told in NO else None


FITS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "published": _published,
    "language": _language,
    "authority": _grade,
    "doi": lambda value: doi_of(str(value)),
    "retracted": _truth,
}
