"""What a text asserts, as short strings: quantities, drugs, diseases, groups of people, and how often it denies.

Two labels of one template share nearly all of their shingles and differ in the one word that matters. Facts tell
them apart: a member of a cluster whose facts are all those of the document that stays says nothing else.
Tables and their sources stand in `facts.yaml`; a quantity is brought to one unit (0.5 g is 500 mg). Each time that
something is said counts, so that exchanged doses differ; negations are counted over the text, since other words for
the same deny as often.
"""

# ruff: noqa: E501 (tables of patterns)

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML

TABLE: Final = Path(__file__).with_name("facts.yaml")
UNITS: Final = {
    "mg": (1.0, r"mg|milligrams?|毫克"), "mg ": (1000.0, r"g|grams?|gm|克"), "mg  ": (0.001, r"mcg|µg|μg|ug|micrograms?|微克"),
    "kg": (1.0, r"kg|kilograms?|公斤|千克"), "ml": (1.0, r"ml|millilit(?:re|er)s?|cc|毫升"), "ml ": (1000.0, r"l|lit(?:re|er)s?|升"),
    "%": (1.0, r"%|％|percent|per cent"), "mmol": (1.0, r"mmol"), "mmHg": (1.0, r"mm ?hg|毫米汞柱"), "IU": (1.0, r"iu|units?|国际单位|单位"),
    "C": (1.0, r"°\s*c|℃|degrees? celsius"), "h": (1.0, r"hours?|hrs?|h|小时"), "min": (1.0, r"minutes?|mins?|分钟"), "d": (1.0, r"days?|天|日(?!本)"),
    "wk": (1.0, r"weeks?|周|星期"), "mo": (1.0, r"months?|个月|月龄"), "y": (1.0, r"(?:-|\s)?years?(?:[ -]old)?|yrs?|岁|周岁|年"),
    "x": (1.0, r"times?|次"), "tab": (1.0, r"tablets?|capsules?|片|粒|丸|袋|支"), "drop": (1.0, r"drops?|滴"), "cm": (1.0, r"cm|厘米"), "mm": (1.0, r"mm|毫米"),
}  # fmt: skip
NUMBER: Final = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_UNIT: Final = "|".join(f"(?P<u{at}>{pattern})" for at, (_, pattern) in enumerate(UNITS.values()))
QUANTITY: Final = re.compile(
    rf"(?<![a-z0-9.,/])(?P<a>{NUMBER})(?:\s*(?:-|–|—|~|～|to|至|到)\s*(?P<b>{NUMBER}))?\s?-?\s?(?:{_UNIT})(?![a-z])(?P<per>\s?/\s?(?:kg|m2|ml|l|h|d|day|min|dose|日|天|次|小时|公斤))?"
)
COMPARED: Final = re.compile(
    rf"(<|>|≤|≥|below|above|under|over|less than|more than|at least|exceeds?|低于|高于|超过|不足|大于|小于|不超过)\s*(?P<n>{NUMBER})"
)
PLAIN: Final = re.compile(
    rf"(?<![\w.,/\[(（§])(?<!table )(?<!figure )(?<!section )(?<!see )(?P<n>{NUMBER})(?![\w.,/\])）]|\s?[.)、]\s)"
)
YEAR: Final = re.compile(r"(?:19|20)\d\d")
NUMBERING: Final = re.compile(
    r"(?m)^\s*(?:[-*•·]\s*)?(?:[(（]?\d+(?:\.\d+)*[.)）、](?!\d)|\d+(?:\.\d+)+[ \t]+(?![%a-zµμ]{1,4}\b))\s*"
)
WORDS: Final = {
    word: number
    for number, words in enumerate(
        ("", "one a", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    )
    for word in words.split()
    if word != "a"
}
SPELLED: Final = re.compile(rf"\b({'|'.join(WORDS)})(?=[ -](?:{'|'.join(p for _, p in UNITS.values())})\b)")
HANS: Final = {
    "一": 1,
    "两": 2,
    "二": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "十": 10,
    "半": 0.5,
}
HAN_SPELLED: Final = re.compile(r"([一两二三四五六七八九十半])(?=(?:片|粒|次|天|日|周|个月|岁|小时|毫克|毫升|支|袋))")
OFTEN: Final = (
    (re.compile(r"\b(?:once (?:daily|a day|per day)|one time (?:daily|a day)|every day|q\.?d\.?)\b|每[日天]1次|1日1次"), " ⟦1/d⟧ "),
    (re.compile(r"\b(?:twice (?:daily|a day|per day)|2 times (?:daily|a day|per day)|b\.?i\.?d\.?)\b|每[日天]2次|1[日天]2次"), " ⟦2/d⟧ "),
    (re.compile(r"\b(?:(?:3 times|thrice) (?:daily|a day|per day)|t\.?i\.?d\.?)\b|每[日天]3次|1[日天]3次"), " ⟦3/d⟧ "),
    (re.compile(r"\b(?:4 times (?:daily|a day|per day)|q\.?i\.?d\.?)\b|每[日天]4次|1[日天]4次"), " ⟦4/d⟧ "),
)  # fmt: skip
WORD: Final = re.compile(r"[a-z][a-z'-]{2,}")
NAMED: Final = re.compile(r"(.+):(\w+)")
NEGATION: Final = "not"
MOST_CHARACTERS: Final = 200_000
LONGEST_BOILERPLATE: Final = 200  # characters: a longer line is a paragraph that happens to hold such a word


@dataclass(frozen=True)
class _Tables:
    english: re.Pattern[str]
    chinese: re.Pattern[str]
    named: tuple[tuple[re.Pattern[str], str], ...]
    negators: re.Pattern[str]
    boilerplate: re.Pattern[str]


@lru_cache(maxsize=1)
def _tables() -> _Tables:
    told = YAML(typ="safe").load(TABLE.read_text(encoding="utf-8"))
    named: list[tuple[re.Pattern[str], str]] = []

    def patterns(*parts: str) -> list[str]:
        found = []
        for entry in (entry for part in parts for entry in told[part]):
            name = NAMED.fullmatch(entry)
            found.append(
                (name[1] if name else entry).replace(r"\w", "[\u4e00-\u9fff]" if "chinese" in parts[0] else r"\w")
            )
            if name:
                named.append((re.compile(name[1]), name[2]))
        return found

    stems = f"[a-z]{{2,}}(?:{'|'.join(told['drug_stems'])})(?:s|um|ate|ine)?"
    return _Tables(
        re.compile("|".join([stems, *patterns("drugs", "diseases", "people")])),
        re.compile("|".join(patterns("chinese_drugs", "chinese_diseases", "chinese_people"))),
        tuple(named),
        re.compile(f"{told['negators']}|{told['chinese_negators']}"),
        re.compile(told["boilerplate"]),
    )


@lru_cache(maxsize=1 << 16)
def _term(word: str) -> str | None:
    """The name under which an English word counts; None for words that assert nothing here."""
    tables = _tables()
    if tables.english.fullmatch(word) is None:
        return None
    return next((name for pattern, name in tables.named if pattern.fullmatch(word)), word)


def facts_of(text: str) -> list[str]:
    """Facts in order: "pregnancy#1", "500 mg#2" (the second time that 500 mg is said), "not#3"."""
    tables = _tables()
    lines = [
        line
        for line in text[:MOST_CHARACTERS].split("\n")
        if len(line) > LONGEST_BOILERPLATE or not tables.boilerplate.search(line)
    ]
    plain = NUMBERING.sub("", "\n".join(lines).lower())
    plain = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", plain)
    plain = HAN_SPELLED.sub(lambda found: str(HANS[found[1]]), SPELLED.sub(lambda found: str(WORDS[found[1]]), plain))
    counted: Counter[str] = Counter()
    for pattern, mark in OFTEN:
        plain = pattern.sub(mark, plain)
    counted.update(re.findall(r"⟦([^⟧]*)⟧", plain))
    plain = QUANTITY.sub(lambda found: _quantities(found, counted), re.sub(r"⟦[^⟧]*⟧", " ", plain))
    plain = COMPARED.sub(lambda found: _one(f"n {float(found['n']):g}", counted), plain)
    for found in PLAIN.finditer(plain):
        if not YEAR.fullmatch(found["n"]):
            counted[f"n {float(found['n'].replace(',', '')):g}"] += 1
    counted.update(term for word in WORD.findall(plain) if (term := _term(word)) is not None)
    for found in tables.chinese.finditer(plain):
        counted[next((name for pattern, name in tables.named if pattern.fullmatch(found[0])), found[0])] += 1
    counted[NEGATION] = len(tables.negators.findall(plain))
    return sorted(f"{fact}#{at}" for fact, count in counted.items() for at in range(1, count + 1))


def _quantities(found: re.Match[str], counted: Counter[str]) -> str:
    at = next(number for number in range(len(UNITS)) if found[f"u{number}"])
    unit, (factor, _) = list(UNITS.items())[at]
    per = re.sub(r"\s", "", found["per"] or "").replace("日", "d").replace("天", "d").replace("day", "d")
    for value in (found["a"], found["b"]):
        if value:
            counted[f"{float(value.replace(',', '')) * factor:g} {unit.strip()}{per}"] += 1
    return " "


def _one(fact: str, counted: Counter[str]) -> str:
    counted[fact] += 1
    return " "


def others(facts: Sequence[str], of_kept: Sequence[str]) -> list[str]:
    """Facts that the document which stays does not state, or denials of it that alone are missing here.

    Who states all the rest and denies less says the opposite; who lacks more than that is only shorter.
    """
    mine, kept = set(facts), set(of_kept)
    lacking = kept - mine
    opposite = lacking if all(fact.startswith(f"{NEGATION}#") for fact in lacking) else set()
    return sorted((mine - kept) | {f"no {fact}" for fact in opposite})
