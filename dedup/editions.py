"""Editions compared as what they are: numbers as numbers, versions part by part, years and dates as dates.

What people write as an edition is of one of few schemes ("3rd edition" and 第三版, "v1.10", "2023年修订版"). Within a
scheme the order is plain; between two schemes it is that of the dates; where no date tells, both stay.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

CHINESE_NUMBERS: Final = {char: number for number, char in enumerate("零一二三四五六七八九十")}
ORDINAL_WORDS: Final = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"""
ORDINALS: Final = {name: number for number, name in enumerate(ORDINAL_WORDS.split(), 1)}
# Words that say which edition a title is; what is left of the title names the series.
EDITION: Final = re.compile(
    r"(?i)[\s,，:：(（\[【-]*(?:"
    r"第\s?(?P<zh>[\d一二三四五六七八九十]{1,3})\s?版|(?P<year_zh>(?:19|20)\d{2})\s?年?(?:版|修订版|修订|更新版|更新)|"
    r"(?P<ordinal>\d{1,3})(?:st|nd|rd|th)\s(?:edition|ed\b\.?|revision)|"
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


def parsed(editions: pl.Series) -> pl.DataFrame:
    """Columns scheme and edition_key of a column of editions; null where there is none."""
    known = {text: parse_edition(text) for text in editions.drop_nulls().unique()}
    columns = {"scheme": [one.scheme for one in known.values()], "edition_key": [one.key for one in known.values()]}
    frame = pl.DataFrame(
        {"_edition": list(known), **columns}, schema=dict.fromkeys(("_edition", *columns), pl.String())
    )
    return (
        pl.DataFrame({"_edition": editions})
        .join(frame, on="_edition", how="left", maintain_order="left")
        .select(*columns)
    )


@dataclass(frozen=True)
class Series:
    """What is known of the series of a corpus.

    `old`: rows of which a newer edition is there (row, series, scheme, edition_key: those of the newer one).
    `newest`: rows of the newest editions (the same columns). `undecided`: rows of which an edition in another
    scheme is there, and no date says which is newer (row, series, other: that edition).
    """

    old: pl.DataFrame
    newest: pl.DataFrame
    undecided: pl.DataFrame


def ordered(candidates: pl.DataFrame) -> Series:
    """The older and newer documents of every series; `candidates` has row, series, edition and published.

    Documents without series or edition belong to none.
    """
    known = candidates.select("row", "series", "edition", "published").drop_nulls(["series", "edition"])
    known = known.hstack(parsed(known["edition"]))
    known = known.with_columns(top=pl.col("edition_key").max().over("series", "scheme"))
    is_top = pl.col("edition_key") == pl.col("top")
    # A year is a date by itself, unless a closer one is given.
    own = pl.when(pl.col("scheme") == DATED).then("edition_key")
    tops = (
        known.filter(is_top)
        .group_by("series", "scheme")
        .agg(
            edition_key=pl.col("top").first(), edition=pl.col("edition").min(), date=pl.coalesce("published", own).max()
        )
        .with_columns(schemes=pl.len().over("series"))
        .sort("series", "scheme")
    )
    winners, undecided = _between_schemes(tops.filter(pl.col("schemes") > 1))
    judged = tops.select("series", "scheme", win_scheme="scheme", win_key="edition_key").update(
        winners, on=["series", "scheme"]
    )
    joined = known.join(judged, on=["series", "scheme"])
    wins = (pl.col("scheme") == pl.col("win_scheme")) & (pl.col("edition_key") == pl.col("win_key"))
    told = ("row", "series", pl.col("win_scheme").alias("scheme"), pl.col("win_key").alias("edition_key"))
    return Series(
        old=joined.filter(~wins).select(*told),
        newest=joined.filter(wins).select(*told),
        undecided=joined.filter(wins).join(undecided, on=["series", "scheme"]).select("row", "series", "other"),
    )


def _between_schemes(tops: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Of series with several schemes, which newest edition takes the place of which, by their dates.

    Returns (series, scheme, win_scheme, win_key) and (series, scheme, other: the edition it cannot be told from).
    """
    won: list[tuple[str, str, str, str]] = []
    open_: list[tuple[str, str, str]] = []
    for (series,), rows in tops.group_by("series", maintain_order=True):
        editions = rows.to_dicts()
        best = max(editions, key=lambda one: (one["date"] or "", one["scheme"]))
        for one in editions:
            if one is best:
                others = [
                    other for other in editions if other is not one and not is_earlier(other["date"], one["date"])
                ]
                open_ += [(str(series), one["scheme"], others[0]["edition"])] if others else []
            elif is_earlier(one["date"], best["date"]):
                won.append((str(series), one["scheme"], best["scheme"], best["edition_key"]))
            else:
                open_.append((str(series), one["scheme"], best["edition"]))
    return _strings(won, "series", "scheme", "win_scheme", "win_key"), _strings(open_, "series", "scheme", "other")


def is_earlier(one: str | None, other: str | None) -> bool:
    """Whether a date lies before another, as far as both tell: of 2023 and 2023-05-01 neither does."""
    if not one or not other:
        return False
    length = min(len(one), len(other))
    return one[:length] < other[:length]


def _strings(rows: Iterable[tuple[Any, ...]], *columns: str) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict.fromkeys(columns, pl.String()), orient="row")
