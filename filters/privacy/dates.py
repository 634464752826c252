"""Dates that belong to a person: of birth, admission, discharge, visit. Dates of publication stay."""

from __future__ import annotations

import calendar
import datetime
import hashlib
import re
from collections.abc import Iterator
from typing import Final, Literal

from filters.privacy.spans import Span

Treatment = Literal["year", "shift"]
MAX_SHIFT_DAYS: Final = 365

MONTHS: Final = {name.lower(): number for number, name in enumerate(calendar.month_name) if name} | {
    name.lower(): number for number, name in enumerate(calendar.month_abbr) if name
}
MONTH: Final = r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
DATES: Final = (
    re.compile(r"(?<!\d)(?P<y>(?:19|20)\d{2})\s?年\s?(?P<m>\d{1,2})\s?月(?:\s?(?P<d>\d{1,2})\s?[日号])?"),
    re.compile(
        r"(?<![\d.-])(?P<y>(?:19|20)\d{2})(?P<s>[-/.])(?P<m>0?[1-9]|1[0-2])(?P=s)(?P<d>0?[1-9]|[12]\d|3[01])(?![\d-])"
    ),
    re.compile(r"(?<![\d./-])(?P<a>\d{1,2})(?P<s>[-/.])(?P<b>\d{1,2})(?P=s)(?P<y>(?:19|20)\d{2})(?![\d-])"),
    re.compile(rf"(?i)\b(?P<mon>{MONTH})\s(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s(?P<y>(?:19|20)\d{{2}})(?!\d)"),
    re.compile(
        rf"(?i)(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:\sof)?[\s-](?P<mon>{MONTH})[\s,-]{{1,2}}(?P<y>(?:19|20)\d{{2}})(?!\d)"
    ),
    re.compile(r"(?<![\d.])(?P<y>(?:19|20)\d{2})(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?!\d)"),
)
# Dates whose year is short or left out: of a person where a record or a phrase says so.
SHORT: Final = (
    re.compile(
        r"(?<![\d./-])(?P<a>0?[1-9]|[12]\d|3[01])(?P<s>[-/.])(?P<b>0?[1-9]|[12]\d|3[01])(?P=s)(?P<yy>\d{2})(?![\d/-]|\.\d)"
    ),
    re.compile(
        rf"(?i)\b(?P<mon>{MONTH})\s(?P<d>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?![\d.%,]?\d)(?!,?\s(?:19|20)\d\d)\b"
    ),
    re.compile(
        rf"(?i)(?<![\dA-Za-z.])(?P<d>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?:\sof)?\s(?P<mon>{MONTH})\b(?!,?\s(?:19|20)\d\d)"
    ),
    re.compile(r"(?<![\d年.])(?P<m>0?[1-9]|1[0-2])\s?月\s?(?P<d>0?[1-9]|[12]\d|3[01])\s?[日号]"),
    re.compile(r"(?<!\d)(?P<yy>\d{2})\s?年\s?(?P<m>0?[1-9]|1[0-2])\s?月(?:\s?(?P<d>0?[1-9]|[12]\d|3[01])\s?[日号])?"),
    re.compile(
        r"(?P<han>[一二][零〇一二三四五六七八九]{3})年(?P<hm>[一二三四五六七八九十]{1,2})月(?:(?P<hd>[一二三四五六七八九十]{1,3})[日号])?"
    ),
)
BEFORE: Final = re.compile(
    r"(?i)(?:出生(?:日期|年月日?|时间)?|生日|生于|出生于|入院(?:日期|时间)?|住院(?:日期|时间)?|出院(?:日期|时间)?|就诊(?:日期|时间)?|手术(?:日期|时间)?|死亡(?:日期|时间)?|去世于?|"
    r"检查(?:日期|时间)|报告(?:日期|时间)|送检日期|采样(?:日期|时间)|记录(?:日期|时间)|签字日期|签名日期|发病(?:日期|时间)?|转入|转出|预产期|末次月经|复诊(?:日期|时间)?|"
    r"\bDOB|\bD\.O\.B\.?|date of birth|birth\s?date|\bborn(?: on)?|admi(?:tted|ssion)(?: date| on)?|date of admission|discharged?(?: date| on)?|date of discharge|"
    r"date of (?:visit|service|surgery|procedure|death|report|exam(?:ination)?)|\bseen (?:on|in clinic on)|\bvisit(?:ed)?(?: date| on)?|(?:died|deceased|death)(?: on)?|"
    r"surgery(?: date| on)?|procedure date|appointment(?: on| date)?|\bLMP|\bEDD|collected(?: on)?|dictated(?: on)?|signed(?: on)?|transferred on|follow-?up on)"
    r"[\s:()是为于在,]{0,6}$"
)
AFTER: Final = re.compile(
    r"^\s?(?:出生|生(?!产)|入院|入我院|出院|住院|就诊|来院|来诊|行手术|手术|死亡|去世|复诊|收入|转入|转院|分娩)"
)
CONTEXT: Final = 40


DATE_HINT: Final = (
    r"(?:19|20)\d{2}|\d[-/.]\d{1,2}[-/.]\d{2}|\d\s?[月年]|[一二][零〇一二三四五六七八九]{3}年|"
    r"(?i)(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s\d|\d(?:st|nd|rd|th)?(?:\sof)?\s(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
)


def find_dates(text: str, low: int, high: int, doc_id: str, treatment: Treatment, everywhere: bool) -> Iterator[Span]:
    """Spans of personal dates with what is shown instead; `everywhere`: all dates with a day, as in a record."""
    for pattern in DATES:
        for match in pattern.finditer(text, low, high):
            parts = _parts(match)
            if parts is None:
                continue
            compact = pattern is DATES[-1]
            if (everywhere and parts[2] and not compact) or _is_told(text, match):
                yield Span(match.start(), match.end(), "DATE", _shown(match, parts, doc_id, treatment))
    for pattern in SHORT:
        for match in pattern.finditer(text, low, high):
            if (everywhere or _is_told(text, match)) and _is_date(match):
                yield Span(match.start(), match.end(), "DATE", _short(match))


def _is_date(match: re.Match[str]) -> bool:
    found = match.groupdict()
    pair = (found.get("a"), found.get("b"))
    return pair == (None, None) or min(int(pair[0] or 0), int(pair[1] or 0)) <= 12


def _short(match: re.Match[str]) -> str | None:
    """The year where one was told; a day without a year is a mark."""
    found = match.groupdict()
    if short := found.get("yy"):
        year = _century(int(short))
        return f"{year}年" if "年" in match.group() else str(year)
    if han := found.get("han"):
        return "".join(str("零一二三四五六七八九".index("零" if one == "〇" else one)) for one in han) + "年"
    return None


def _century(year: int) -> int:
    """Two digits as a year: up to 29 of this century, as those who write so are alive or were born in the last."""
    return 2000 + year if year <= 29 else 1900 + year


def _is_told(text: str, match: re.Match[str]) -> bool:
    before = text[max(0, match.start() - CONTEXT) : match.start()]
    return bool(BEFORE.search(before) or AFTER.match(text[match.end() : match.end() + 8]))


def _parts(match: re.Match[str]) -> tuple[int, int, int] | None:
    """Year, month and day (0 where there is none); None where it is no date."""
    found = match.groupdict()
    year = int(found["y"])
    if "a" in found:
        first, second = int(found["a"]), int(found["b"])
        month, day = (first, second) if first <= 12 else (second, first)
    else:
        month = int(found["m"]) if found.get("m") else MONTHS[found["mon"].rstrip(".").lower()[:3]]
        day = int(found["d"]) if found.get("d") else 0
    try:
        datetime.date(year, month, day or 1)
    except ValueError:
        return None
    return year, month, day


def shift_days(doc_id: str) -> int:
    """The document's constant: 1 to 365 days, back or forth, from its id alone."""
    number = int.from_bytes(hashlib.blake2b(doc_id.encode(), digest_size=8, person=b"date-shift").digest(), "big")
    days = 1 + number % MAX_SHIFT_DAYS
    return days if number >> 63 else -days


def _shown(match: re.Match[str], parts: tuple[int, int, int], doc_id: str, treatment: Treatment) -> str:
    year, month, day = parts
    written = match.group()
    if treatment == "year":
        return f"{year}年" if "年" in written else str(year)
    moved = datetime.date(year, month, day or 15) + datetime.timedelta(days=shift_days(doc_id))
    if "年" in written:
        return f"{moved.year}年{moved.month}月" + (f"{moved.day}日" if day else "")
    return moved.isoformat()
