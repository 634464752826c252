"""What people write as an edition: numbers, ordinals in both languages, versions, years and dates.

"3rd edition" and 第三版 are one number, "v1.10" comes after "1.9", "2023年修订版" is a year.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

CHINESE_NUMBERS: Final = {char: number for number, char in enumerate("零一二三四五六七八九十")}
ORDINAL_WORDS: Final = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"""
ORDINALS: Final = {name: number for number, name in enumerate(ORDINAL_WORDS.split(), 1)}
# Words that say which edition a title is; what is left of the title names the series.
EDITION: Final = re.compile(
    r"(?i)[\s,，:：(（\[【-]*(?:"
    r"第\s?(?P<zh>[\d一二三四五六七八九十]{1,3})\s?版|(?P<year_zh>(?:19|20)\d{2})\s?年?(?:版|修订版|修订|更新版|更新)|"
    r"(?<!\d)(?P<ordinal>\d{1,3})(?:st|nd|rd|th)\s(?:edition|ed\b\.?|revision)|"
    rf"(?P<word>{'|'.join(ORDINALS)})\s(?:edition|revision)|"
    r"(?:version|ver\.?|v|edition|revision|rev\.?)\s?(?P<number>\d{1,3}(?:\.\d{1,3}){0,2})|"
    r"(?:revised|updated?|edition)\s(?:in\s)?(?P<revised>(?:19|20)\d{2})|(?P<year>(?:19|20)\d{2})(?:\s(?:edition|update|revision|guidelines?))?"
    r")[)）\]】]*\s*"
)
DATE: Final = re.compile(r"((?:19|20)\d{2})(?:[-/.年](\d{1,2})(?:[-/.月](\d{1,2}))?)?[月日]?")
COMPACT_DATE: Final = re.compile(r"((?:19|20)\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
VERSION: Final = re.compile(r"\D{0,20}?(\d+(?:\.\d+)*)(?!\d)")
YEARS: Final = range(1900, 2100)
DIGITS: Final = 20  # so that numbers sort as text

DATED, NUMBERED, NAMED = "date", "number", "name"


@dataclass(frozen=True)
class Edition:
    """The scheme of an edition, and a key that sorts within it."""

    scheme: str
    key: str


def parse_edition(text: str) -> Edition:
    """What an edition says: "3", "3rd edition", "第四版", "1.10", "2019", "2023-05-01", "B"."""
    told = unicodedata.normalize("NFKC", text).strip().lower()
    if found := COMPACT_DATE.fullmatch(told):
        return Edition(DATED, "-".join(found.groups()))
    if found := DATE.fullmatch(told):
        return Edition(DATED, "-".join(part.zfill(2) for part in found.groups() if part))
    named = EDITION.search(told)
    number = edition_number(named) if named else None
    if number is None:
        found = VERSION.match(told)
        number = found[1] if found else None
    if number is None:
        return Edition(NAMED, told)
    parts = [part.lstrip("0") or "0" for part in number.split(".")]
    if len(parts) == 1 and len(parts[0]) == 4 and int(parts[0]) in YEARS:
        return Edition(DATED, parts[0])
    return Edition(NUMBERED, ".".join(part.zfill(DIGITS) for part in parts))


def edition_number(found: re.Match[str]) -> str:
    """The year, number or version that words of `EDITION` name, in digits."""
    name, value = next((name, value) for name, value in found.groupdict().items() if value)
    if name == "zh" and not value.isdigit():
        return str(chinese_number(value))
    return str(ORDINALS[value.lower()]) if name == "word" else value


def chinese_number(text: str) -> int:
    """A number up to 99 in Chinese: 四, 十, 十二, 二十, 二十一."""
    tens, ten, ones = text.partition("十")
    if not ten:
        return int("".join(str(CHINESE_NUMBERS.get(char, char)) for char in text))
    return (CHINESE_NUMBERS[tens] if tens else 1) * 10 + (CHINESE_NUMBERS[ones] if ones else 0)
