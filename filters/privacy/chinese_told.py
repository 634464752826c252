"""Chinese names behind what calls a person (a role, kin, a day of a rota), and those that stand anywhere in running text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from filters.privacy.chinese_words import COUNTED, HAN, Words, name_length, runs, words_at
from filters.privacy.finder import Search
from filters.privacy.lexicon import Lexicon
from filters.privacy.spans import Span

# Whoever is called so and has a colon behind it: 受检者, 一助, 参加讨论人员, 接种人员, 户主, 发件人.
ROLE_ZH: Final = re.compile(
    rf"(?:者|人|人员|员|医?师|医?士|医生|大夫|护士长?|主任|教授|助|助手|主|主刀|刀|友|童|儿|偶|属|方|代表|对象|客户|会员|学[生员]|职工|员工|考生|长|父|母|夫|妻|子|女|兄|弟|姐|妹|亲|老公|老婆|签名|签字|姓名)"
    rf"(?:\([^()]{{0,8}}\))?[ ]?[:/][ ]{{0,4}}(?=[{HAN}])"
)
# Who is named right behind the word: 患者林桂香神志清, 兹证明乔宁, 其子李刚, 我是赵桂香.
BEFORE_ZH: Final = re.compile(
    "患者|病人|病员|产妇|患儿|死者|伤者|逝者|家属|亲属|用户|客户|同学|同事|邻居|护工|保姆|室友|病友|证者|鉴定人|陪同人|代理人|申请人|委托人|经办人|负责人|联系人|监护人|责任人|投诉人|护理员|原告|被告|律师|受检者|被保险人|当事人|"
    "证明|兹有|我是|我叫|名叫|本人|这是|联系|转告|通知|随车医生|医生|医师|大夫|护士|药师|技师|营养师|咨询师|治疗师|主任|教授|院长|"
    "其[父母子女妻夫兄弟姐妹姨叔舅姑儿]|父亲|母亲|爸爸|妈妈|丈夫|妻子|爱人|老公|老婆|老伴|儿子|女儿|女婿|儿媳|媳妇|哥哥|弟弟|姐姐|妹妹|奶奶|爷爷|外公|外婆|"
    "孙子|孙女|外甥女|外甥(?!女)|侄子|侄女|姨妈|叔叔|舅舅|姑姑|阿姨|先生|女士|老师|周[一二三四五六日]|星期[一二三四五六日]|床的|号[床机椅台]"
)
# What a note says of a person right behind the name, at the beginning of a clause: 谢浩由心内科转入, 黄东请假.
AFTER_ZH: Final = re.compile(
    "由.{2,6}(?:转入|转来|送入|收治)|因.{2,12}(?:入院|住院|就诊|来诊|收治)|仍?诉|自诉|主诉|仍有|请假|负责|值班|陪同|在场|昨[日晚夜]|今[日晨早天]|入院|出院|说"
)
# Whatever calls a person, where nothing but a name follows up to the next mark or blank: 评定人邹芳。 受种者 任辉  监护人.
CALLED_ZH: Final = re.compile(
    "(?:者|人|员|代表|对象|家长|学生|会诊|随访|回访|探视|看望|护送|抢救|陪同|联系|转告|通知|医[师生士]|护士长?|主任|教授|院长)"
)
APART_ZH: Final = re.compile(
    rf"(?:{BEFORE_ZH.pattern}|{CALLED_ZH.pattern})[ ]{{1,3}}(?=[{HAN}]{{2,5}}(?:[ ,，、。;；()（）\n]|$))"
)
LEAST_CLASSICAL: Final = 3  # a form that says 受种者 is none
AROUND: Final = 2_000  # characters on either side that tell whether a stretch stands in a classic
LISTED: Final = re.compile(r"[ ]?[、,/和及与][ ]?|[ ]{1,3}")
# What herbals and books of acupuncture say of each herb and place, and nobody says of a person.
HERBAL: Final = re.compile(
    rf"功专|[气味][甘辛苦酸咸淡]|性[平温寒凉热]|为使|[针刺灸][入灸之]{{0,2}}[一二三四五六七八九十百]+[分壮寸]|一名|[恶畏反][{HAN}]{{2}}[。、，]"
)
HERBAL_WEIGHT: Final = 3  # each counts as much as so many of the characters
# Who stands before a verb as often as before a name: 先生闻之, 其子宫滑.
SUBJECT_ZH: Final = re.compile("先生$|老师$|其[父母子女妻夫兄弟姐妹姨叔舅姑儿]$")
CLASSICAL: Final = 0.015  # of the characters that classics and prescriptions are full of; the real classics have 2 to 8%, consultations 0.2%


def roles(lexicon: Lexicon, called: re.Pattern[str], in_classics: bool = True) -> Search:
    """Whoever stands behind what calls a person and a colon or a blank, and those who are listed with the first."""

    def find(text: str, low: int, high: int) -> Iterator[Span]:
        for match in called.finditer(text, low, high):
            if not in_classics and amid_classics(text, low, high):
                return
            yield from _listed(text, match.end(), lexicon)

    return find


def _listed(text: str, at: int, lexicon: Lexicon) -> Iterator[Span]:
    while length := name_length(words_at(text, at), 0, lexicon, told=True):
        yield Span(at, at + length, "NAME")
        mark = LISTED.match(text, at + length)
        if mark is None:
            return
        at = mark.end()


def _is_classical(text: str) -> bool:
    """Whether a stretch is a classic's or a list of herbs, where any two characters may be words of their own."""
    found = sum(text.count(one) for one in "之曰也者乃矣钱两汤散丸炙煎痹疝")
    if found < LEAST_CLASSICAL or found <= CLASSICAL * len(text):
        found += HERBAL_WEIGHT * len(HERBAL.findall(text))
    return found >= LEAST_CLASSICAL and found > CLASSICAL * len(text)


def amid_classics(text: str, low: int, high: int) -> bool:
    """The same of what stands around a stretch."""
    return _is_classical(text[max(0, low - AROUND) : high + AROUND])


def running(lexicon: Lexicon) -> Search:
    """Names that stand anywhere: behind a word that calls a person any name, else those that are made as names are."""
    first = frozenset(surname[0] for surname in lexicon.surnames)
    either = first | {surname[0] for surname in lexicon.rare_surnames}

    def find(text: str, low: int, high: int) -> Iterator[Span]:
        classical = _is_classical(text[low:high])
        amid = cache(lambda: amid_classics(text, low, high))  # asked of few stretches
        for words in runs(text, low, high, either):
            begins = sorted(at for at in words.edges if words.text[at : at + 1] in either)
            told = {match.end() for match in BEFORE_ZH.finditer(words.text)}
            if told and amid():
                told = {at for at in told if not SUBJECT_ZH.search(words.text, 0, at)}
            for at in sorted(told - set(begins)):
                # Cut from there on: what calls the person ends a word, whatever the dictionary makes of both.
                if length := name_length(words_at(text, words.start + at), 0, lexicon, told=True):
                    yield Span(words.start + at, words.start + at + length, "NAME")
            if not classical and (named := _called(words, text, told, lexicon)) and not amid():
                yield named
            for at in begins:
                if at not in told and words.text[at] not in first:
                    continue
                counted = at == 0 and words.text[0] in COUNTED and text[words.start - 1 : words.start].isdigit()
                called = at in told or (not classical and _is_told_of(words, at, lexicon))
                length = 0 if counted or (classical and not called) else name_length(words, at, lexicon, called)
                if length and (at in told or not amid()):
                    yield Span(words.start + at, words.start + at + length, "NAME")

    return find


def _called(words: Words, text: str, told: set[int], lexicon: Lexicon) -> Span | None:
    """The name that is all that is left of a run of ideographs behind what calls a person."""
    length = len(words.text)
    for match in CALLED_ZH.finditer(words.text, max(0, length - 9)):
        at = match.end()
        if at not in told and 2 <= length - at <= 5:
            found = name_length(words_at(text, words.start + at), 0, lexicon, told=True)
            if found == length - at:
                return Span(words.start + at, words.start + length, "NAME")
    return None


def _is_told_of(words: Words, at: int, lexicon: Lexicon) -> bool:
    """Whether what reads as a name opens a clause, and what a note says of a person stands behind it."""
    if at and words.text[at - 1] not in "由和跟与说":
        return False
    length = name_length(words, at, lexicon, told=True)
    return length > 0 and AFTER_ZH.match(words.text, at + length) is not None
