"""Where Chinese words begin and end, so that a name is looked for only where one may stand.

`rjieba` cuts by its dictionary alone (no hidden Markov model): what it does not know falls into single characters,
as names do, and 手术 keeps 患者曾行手术 from ending in a person called 曾行手.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Final, NamedTuple

import rjieba

from filters.privacy.lexicon import Lexicon, called_persons, is_medical, ordinary_words

HAN: Final = r"\u4e00-\u9fff"
RUN: Final = re.compile(rf"[{HAN}]+")
# Characters that stand in no given name.
GRAMMAR: Final = frozenset(
    "的了是在有不我你他她它们这那就也还都很要会能可以个和与及对从把被让给向为着过吗呢吧啊什么怎样时候说做去来没多少大病症痛炎热血您床谢祝上下"
)


class Words(NamedTuple):
    """A run of ideographs: where it begins in the text, what it says, and at which places of it words begin or end."""

    start: int
    text: str
    edges: frozenset[int]


def runs(text: str, low: int, high: int, first: frozenset[str] | None = None) -> Iterator[Words]:
    """Runs of ideographs that begin in `low:high`, cut into words; with `first` those alone that hold one of these."""
    for match in RUN.finditer(text, low, high):
        run = match.group()
        if first is None or not first.isdisjoint(run):
            yield Words(match.start(), run, frozenset(accumulate(map(len, rjieba.cut(run, False)), initial=0)))


def words_at(text: str, at: int, length: int = 12) -> Words:
    """The run of ideographs that begins at a place, cut into words."""
    match = RUN.match(text, at, at + length)
    return next(runs(text, at, at + length)) if match else Words(at, "", frozenset())


def surname_of(value: str, lexicon: Lexicon, told: bool = False) -> str | None:
    """The surname that a string begins with, those of two characters first; rare ones where a person is named."""
    for length in (2, 1):
        if value[:length] in lexicon.surnames or (told and value[:length] in lexicon.rare_surnames):
            return value[:length]
    return None


# Surnames whose two-character words that the dictionary calls persons are persons: 王英, but 麦冬 and 丁宁 are none.
CLEAR: Final = frozenset("王李刘陈赵吴徐孙朱郭郑")
# 两周保肝, 3年生: what is counted; 吃了甘康, 口服舒婷: what is taken; 胡敏酸, 李乐钙片: what is made.
COUNTED: Final = frozenset("周年时季包单项路车层")
# Single characters after which a name may begin: particles, verbs of speech and giving, kin, places of a ward, counters.
JOINING: Final = frozenset(
    "的了是在和与及跟同让由给请找问叫说对向把被为替帮叮嘱约陪见到自因从我你他她您们父母子女儿妻夫兄弟姐妹姨叔伯舅姑爷奶孙嫂媳婿"
    "床室科院区号组班岁年月日时位名个第一二三四五六七八九十午晨晚夜后前内外间于"
)
TAKEN: Final = re.compile(
    "(?:吃|吃了|吃过|吃着|服|服用|服了|口服|用|用了|用过|应用|使用|注射|静滴|外用|予|加用|改用|如|例如|像)$"
)
MADE: Final = re.compile("[酸唑素碱醇酶片膏丸散汤粉胶剂酯钠钾钙]|颗粒|注射|口服|冲剂|滴|软膏|喷|转氨|酰|[汤粥茶酒]")


def name_length(words: Words, at: int, lexicon: Lexicon, told: bool = False) -> int:
    """Characters of the name that begins at a word's edge `at` and ends at one; 0 where none does.

    Unless something told that a person is named, the given name must be made of characters that given names are made
    of, and a surname that is a word as well needs two of them.
    """
    surname = surname_of(words.text[at : at + 2], lexicon, told) if at in words.edges else None
    if surname is None:
        return 0
    first = at + len(surname)
    for rare in (False, True) if told else (False,):  # what given names are mostly made of goes first: 乔宁 in 乔宁因病
        for end in (first + 2, first + 1):
            if (
                len(words.text) >= end
                and end in words.edges
                and _reads_as_name(words, at, first, end, lexicon, told, rare)
            ):
                return end - at
    return 0


def _reads_as_name(words: Words, at: int, first: int, end: int, lexicon: Lexicon, told: bool, rare: bool) -> bool:
    surname, given, value = words.text[at:first], words.text[first:end], words.text[at:end]
    if _is_word(value, surname, lexicon, told) or GRAMMAR & {given[0], given[-1]} or is_medical(value):
        return False
    common = all(one in lexicon.given_zh for one in given)
    doubtful = surname in lexicon.doubtful_surnames or surname in lexicon.rare_surnames
    if told and surname in lexicon.word_surnames:  # 医生谢梅, and not 医生谢后
        return common and (len(given) == 1 or given not in ordinary_words())
    if told:
        return common or (rare and not doubtful and given not in ordinary_words())
    if (
        not _stands_alone(words, at)
        or MADE.match(words.text, end)
        or (at and TAKEN.search(words.text[max(0, at - 3) : at]))
    ):
        return False
    return (
        common
        and surname not in lexicon.word_surnames
        and not (doubtful and (len(given) == 1 or given in ordinary_words()))
    )


def _stands_alone(words: Words, at: int) -> bool:
    """Whether what stands before a place ends there: a word of the dictionary, or one that joins; 舍 before 曲林 is neither."""
    before = max((edge for edge in words.edges if edge < at), default=None)
    if before is None:
        return True
    token = words.text[before:at]
    return token in JOINING if len(token) == 1 else token in ordinary_words()


def _is_word(value: str, surname: str, lexicon: Lexicon, told: bool) -> bool:
    if {value, value[:2]} & lexicon.not_names_zh or value in lexicon.eponyms_zh:
        return True
    known, persons = ordinary_words(), called_persons()
    if surname in CLEAR and value in persons:
        return False
    unnamed = not told and surname not in CLEAR and value[:2] in persons  # 麦冬, 丁宁: called persons, and none
    begins = value[:2] in known and value[:2] not in persons and not (told and value[:2] == surname)
    return value in known or begins or unnamed
