"""Cells under a heading that asks for a person: tables of patients with bars, tabs, commas, or columns of blanks.

One heading alone says little, since drugs have names too: a second personal one must stand beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from filters.privacy.lexicon import is_medical
from filters.privacy.spans import Span

HEADINGS: Final[dict[str, str]] = {
    "NAME": r"[\u4e00-\u9fff]{0,6}姓\s?名|[\u4e00-\u9fff]{0,4}(?:医师|医生|护士|教授|联系人|监护人|责任人|负责人)|(?:patient(?:'s)?|full|last|first|contact|doctor)?[\s_]?name|"
    r"surname|patient|physician|consultant|attending|surgeon|doctor|nurse|provider|guardian|next of kin|contact(?: person)?|seen by|signed by",
    "MRN": r"mrn|(?:medical )?record (?:no\.?|number|id)|patient (?:id|no\.?|number)|hospital (?:no\.?|number)|病\s?历\s?号|住\s?院\s?号|门\s?诊\s?号|病\s?案\s?号|登记号",
    "PHONE": r"(?:tele)?phone(?: (?:no\.?|number))?|tel\.?|mobile|cell|(?:联系|家庭)?电\s?话|手\s?机(?:号码?)?|联系方式",
    "ID": r"身份证号?码?|id (?:no\.?|number|card)|ssn|nhs (?:no\.?|number)|passport",
    "ADDRESS": r"(?:home )?address|(?:家庭|现|联系)?(?:住|地)址",
    "EMAIL": r"e-?mail|邮箱|电子邮件",
}
BESIDE: Final = r"sex|gender|age|dob|time|date|date of birth|ward|bed|性\s?别|年\s?龄|出生日期|床\s?[号位]|科\s?室|诊\s?断|diagnosis"
_OF: Final = {kind: re.compile(rf"(?i)[*_ ]*(?:{pattern})[*_ ]*") for kind, pattern in HEADINGS.items()}
_BESIDE: Final = re.compile(rf"(?i)[*_ ]*(?:{BESIDE})[*_ ]*")
RULE: Final = re.compile(r"[\s|:+=-]*")
SEPARATORS: Final = (re.compile(r"\|"), re.compile(r"\t"), re.compile(r"[,，]"), re.compile(r" {2,}"))
EMPTY: Final = re.compile(r"[-—–/无\s]*|n/?a|none|unknown", re.I)
HINT: Final = rf"(?i)(?:{'|'.join(HEADINGS.values())})"


def find_cells(text: str, low: int, high: int) -> Iterator[Span]:
    """Cells of the columns whose heading, within `low:high`, asks for a person."""
    start = text.rfind("\n", 0, low) + 1
    while start < high:
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        for separator in SEPARATORS:
            columns = _columns(text[start:end], separator)
            if columns:
                yield from _cells(text, end + 1, separator, columns)
                break
        start = end + 1


def _columns(line: str, separator: re.Pattern[str]) -> dict[int, str]:
    """Kind of each personal column of a heading line; none unless two headings are personal."""
    cells = [line[first:last].strip() for first, last in _split(line, separator)]
    if len(cells) < 2:
        return {}
    found = {
        at: kind for at, cell in enumerate(cells) for kind, pattern in _OF.items() if cell and pattern.fullmatch(cell)
    }
    beside = sum(bool(_BESIDE.fullmatch(cell)) for cell in cells)
    return found if found and len(found) + beside >= 2 else {}


def _split(line: str, separator: re.Pattern[str]) -> list[tuple[int, int]]:
    """Bounds of the cells of a line; bars at its ends stand for no cell."""
    marks = [(found.start(), found.end()) for found in separator.finditer(line.rstrip())]
    bounds = list(
        zip([0, *(end for _, end in marks)], [*(start for start, _ in marks), len(line.rstrip())], strict=True)
    )
    if separator.pattern == r"\|" and bounds and not line[bounds[0][0] : bounds[0][1]].strip():
        bounds = bounds[1:]
    return bounds


def _cells(text: str, start: int, separator: re.Pattern[str], columns: dict[int, str]) -> Iterator[Span]:
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end]
        if not line.strip():
            return
        if not RULE.fullmatch(line):
            bounds = _split(line, separator)
            if len(bounds) < 2:
                return
            for at, kind in columns.items():
                if at < len(bounds):
                    first, last = bounds[at]
                    cell = line[first:last].strip()
                    if cell and not EMPTY.fullmatch(cell) and not (kind == "NAME" and is_medical(cell)):
                        begin = start + first + len(line[first:last]) - len(line[first:last].lstrip())
                        yield Span(begin, begin + len(cell), kind)
        start = end + 1
