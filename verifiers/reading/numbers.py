"""Numbers in running text, with the unit behind each; digits within a name ("CHA2DS2-VASc") are none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from verifiers.reading.units import UNIT

_NUMBER: Final = re.compile(
    r"(?<![A-Za-z0-9_.,])(?P<sign>[-−–]\s?|\+)?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:[ \u00a0\u202f\u2009]\d{3})+(?![\d])(?:\.\d+)?|\d{1,400}(?:\.\d{1,40})?|\.\d{1,40})"
    r"(?P<power>\s?[x×*·]\s?10\s?(?:\^|\*\*)?\s?(?P<tens>[-−]?\d{1,3})|[eE](?P<e>[-+]?\d{1,4}))?(?![\w]*\d)(?P<cut>\.\d|,\d{1,2}(?![\d,]))?"
)
_MINUS: Final = re.compile(r"(?:\bminus|\bnegative|负)$", re.IGNORECASE)
_RANGE: Final = re.compile(r"\s*(?:[a-zA-Zµ/%°²³^·]{0,10}\s*)?(?:-|–|—|~|至|到|\bto\b|\band\b)\s*\d")
_BETWEEN: Final = re.compile(r"(?:between|from|介于|在)\s*$", re.IGNORECASE)
_SCALES: Final = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "万": 1e4, "百万": 1e6, "亿": 1e8}
_SCALE: Final = re.compile(r"\s?(thousand\b|million\b|billion\b|百万|万|亿)", re.IGNORECASE)
_IDEOGRAPHS: Final = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_WRITTEN: Final = re.compile(
    r"(?<![\u3400-\u9fff])[零〇一二两三四五六七八九十百]{1,6}(?=\s*(?:分|点|个|次|天|周|岁|$|[。,，]))"
)
_WORDS: Final = {
    word: value
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ]
    )
}


@dataclass(frozen=True)
class Number:
    """A number, its unit as written ("" where none), where it begins, and whether it opens a range."""

    value: float
    unit: str
    start: int
    ranged: bool = False
    of_something: bool = False
    over: float = 0.0  # what a number with a stroke behind it is divided by


def numbers_in(text: str) -> list[Number]:
    """Numbers of a text in their order; at most the first hundred."""
    text = text[:8000].replace("\u2212", "-")
    found: list[Number] = []
    covered = -1
    for one in _NUMBER.finditer(text):
        if one.start() < covered:
            continue
        if one["cut"] and (one["cut"].startswith(".") or "." in one["digits"]):
            covered = one.end() + 12  # 24.2.1 is no number
            continue
        value = _value(one)
        if one["cut"]:
            value = float(re.sub(r"\s", "", one["digits"]) + "." + one["cut"][1:]) * (
                -1 if one["sign"] and one["sign"][0] in "-−–" else 1
            )
        scale = _SCALE.match(text, one.end())
        end = scale.end() if scale else one.end()
        value *= _SCALES[scale[1].casefold()] if scale else 1
        unit = UNIT.match(text, end)
        behind = text[end:]
        ranged = bool(_RANGE.match(behind)) and not re.match(r"\s*-\s*\d+\s*=", behind)
        ranged = ranged and (
            not re.match(r"\s*(?:[a-zA-Zµ/%]{0,10}\s*)?and\b", behind) or bool(_BETWEEN.search(text[: one.start()]))
        )
        before = text[: one.start()].rstrip()
        if one["sign"] and one["sign"].strip() and before[-1:].isalnum():
            value = abs(value)
        elif _MINUS.search(before):
            value = -abs(value)
        of = bool(re.match(r"\s*(?:points?\s*)?(?:out\s+of|/)\s*\d", behind))
        stroke = re.match(r"\s*/\s*(\d{1,6}(?:\.\d{1,6})?)", behind)
        over = float(stroke[1]) if stroke else 0.0
        found.append(Number(value, unit[1].strip() if unit else "", one.start(), ranged, of, over))
        covered = one.end()
        if of:
            covered = one.end() + len(re.match(r"\s*(?:points?\s*)?(?:out\s+of|/)\s*\d+", behind)[0])  # type: ignore[index]
        if len(found) == 100:
            break
    if not found:
        found = _in_words(text)
    return found


def _value(one: re.Match[str]) -> float:
    digits = re.sub(r"[,\s]", "", one["digits"])
    try:
        value = float(digits) if len(digits) < 300 else float("inf")
        power = one["tens"] or one["e"]
        if power is not None:
            value = float(f"{digits}e{int(power.replace('−', '-'))}")
    except (ValueError, OverflowError):
        return float("inf")
    return -value if one["sign"] and one["sign"][0] in "-−–" else value


def _in_words(text: str) -> list[Number]:
    found = [
        Number(float(_WORDS[one[1].lower()]), "", one.start())
        for one in re.finditer(rf"\b({'|'.join(_WORDS)})\b(?=\s*(?:points?|$|[.,]))", text, re.IGNORECASE)
    ]
    return found or [Number(float(ideographs(one[0])), "", one.start()) for one in _WRITTEN.finditer(text)]


def ideographs(signs: str) -> int:
    """A number below a thousand written in ideographs."""
    total = current = 0
    for sign in signs:
        if sign in "十百":
            total += (current or 1) * (10 if sign == "十" else 100)
            current = 0
        else:
            current = _IDEOGRAPHS[sign]
    return total + current
