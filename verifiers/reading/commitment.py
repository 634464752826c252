"""Where a text commits itself: what stands behind its marks, the last of them first.

A mark under a condition ("if she were pregnant, C") or within quotation marks commits to nothing, and a
later mark that denies what an earlier one chose takes it back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MOST_MARKS: Final = 400  # the last ones of an answer

_MARKS: Final = re.compile(
    r"(?P<boxed>\\boxed\s*\{|\\fbox\s*\{)"
    r"|(?P<tag><(?:answer|final_answer|final)>)"
    r"|(?P<mark>"
    r"(?:\b(?:my\s+|the\s+)?(?:final|correct|right|best|single\s+best|most\s+likely|most\s+appropriate)?\s{0,3}(?:answer|choice|option)s?(?:,\s[^,.;:\n]{1,60},)?\s{0,3}(?:here\s+|then\s+|now\s+|therefore\s+|thus\s+)?"
    r"(?:\*\*|__)?\s{0,3}(?:would\s+be|should\s+be|must\s+be|seems\s+to\s+be|appears\s+to\s+be|remains|has\s+to\s+be|is|are|was|:|=|-|–|—|→)\s{0,3}(?:therefore\s+|thus\s+|most\s+likely\s+|probably\s+|clearly\s+|:)?(?:\*\*|__)?)"
    r"|(?:\b(?:I|we)(?:\s+would|\s+will|'d|'ll|\s+shall|\s+therefore|\s+thus|\s+now|\s+finally)?\s+(?:choose|chose|pick|select|go\s+with|settle\s+on|opt\s+for|answer|recommend|say|lean\s+towards?|favou?r|vote\s+for|stick\s+with|change\s+(?:my\s+answer\s+|it\s+)?to|stay\s+with)\b\s{0,2}:?)"
    r"|(?:\b(?:choose|pick|select|go\s+with|settle\s+on|going\s+with|stick\s+with|change\s+(?:my\s+answer\s+|it\s+)?to|changing\s+(?:my\s+answer\s+|it\s+)?to)\b\s{0,2}:?)"
    r"|(?:\b(?:hands\s+down|(?:everything|all|evidence|this)\s+points\s+to)\s{0,2}:?\s{0,2}(?=[(*]{0,3}[A-J]\b))"
    r"|(?:(?:结论|判断)\s{0,2}[:：]\s{0,2}(?=[(（]?[A-J](?![A-Za-z0-9超型])))"
    r"|(?:\b(?:correction|corrected|revised|conclusion|verdict)\s{0,2}[:：]\s{0,2})"
    r"|(?:\b(?:response|output|result|decision|pick|selection|selected|question\s?\d{1,3}|q\s?\d{1,3}|true)\s{0,2}[:：]\s{0,2}(?=[(*\[]{0,3}[A-J](?:\W|$)))"
    r"|(?:\b(?:on\s+(?:reflection|second\s+thoughts?)|(?:in|for)\s+(?:this|our|the\s+present)\s+(?:patient|case|question|woman|man|child))\s{0,2}[,:：]?\s{0,2}(?=[(*]{0,3}[A-J](?:\W|$)))"
    r"|(?:(?:本例|本题|此题|本患者|该患者|此患者)\s{0,2}[:：,，]\s{0,2}(?=[(（]?[A-J](?![A-Za-z0-9超型])))"
    r"|(?:\b(?:actually|rather|no|wait|hence|therefore|so|thus)\s{0,2},?\s{0,2}(?:it(?:'s|\s+is|\s+should\s+be|\s+must\s+be|\s+has\s+to\s+be)|i\s+mean)\s)"
    r"|(?:\b(?:I|we)\s+(?:think|believe|say|guess)\s+(?:that\s+)?(?:it(?:'s|\s+is)\s+)?(?!it\b))"
    r"|(?:\b(?:ans|solution)\b\s{0,2}[:.=]\s{0,2})"
    r"|(?:\b(?:thus|hence|therefore|so|overall)\b\s{0,2}[,:]?\s{1,2}(?=[(*]{0,3}[A-J]\b))"
    r"|(?:我认为(?:应该?)?(?:是|为|选)?)"
    r"|(?:首选(?:药物?|药品|治疗|检查|方案|方法|措施)?\s{0,2}(?:应?[是为])?\s{0,2}(?=[(（]?[A-J](?![A-Za-z0-9超型])))"
    r"|(?:\bleav(?:es|ing)\s+(?:us\s+with\s+)?(?:only\s+|just\s+)?(?:options?\s+)?(?=[(*]{0,3}[A-J]\b))"
    r"|(?:答案\s{0,2}(?=[(（]?[A-J](?![A-Za-z])))"
    r"|(?:\b(?:reconsider(?:ing|ation)|i\s+meant|sorry)\b\s{0,2}[,:]?\s{0,2})"
    r"|(?:\bno\s{0,2}[,.:]\s{1,2}(?=[(*]{0,3}[A-J]\b))"
    r"|(?:(?<!in)\bcorrect(?:\s+(?:options?|ones?))?\s{0,2}[:：]\s{0,2})"
    r"|(?:\b(?:drug|diagnosis|treatment|test|investigation|agent|medication|organism|step)\s+is\s{1,2}(?=[(*]{0,3}[A-J]\b[).*]{0,3}\s*(?:$|[.,;\n])))"
    r"|(?:正确的(?:选项|答案)?\s{0,2}(?:是|为|有|包括))"
    r"|(?:\bit(?:'s|\s+is|\s+should\s+be|\s+must\s+be|\s+has\s+to\s+be|\s+can\s+only\s+be)\s)"
    r"|(?:\bfinal(?:\s+(?:decision|pick|call|response|selection))?\s{0,2}[:：]\s{0,2})"
    r"|(?:(?:最终|正确|参考|标准|我的|本题|最后|最佳|唯一)*\s{0,2}(?:的)?(?:答案|选项)\s{0,2}(?:应该是|应当是|应该为|应为|应是|就是|是|为|：|:|】\s{0,2}[:：]?|\]\s{0,2}[:：]?|选择|选|=))"
    r"|(?:(?:故|应|应该|因此|所以|因而|综上|综上所述|我|本题|此题|正确|最终|最后)?\s{0,2}[,，]?\s{0,2}(?:应该|应)?(?<![首可自挑备入精筛])选择?\s{0,2}(?:是|为|：|:)?(?!项|择题|择|用|取))"
    r"|(?:(?:^|\n|[。；;]\s{0,3})答\s{0,2}[:：])"
    r"|(?:(?:改为|改选|更正为|更正[:：]|修正为|而是|应为|应是|改成))"
    r")",
    re.IGNORECASE,
)
_CONDITION: Final = re.compile(
    r"\b(?:if|unless|suppose|supposing|were\s+(?:she|he|they|it|the)|had\s+(?:she|he|they|it|the)|in\s+case|assuming|otherwise|were\s+the|in\s+a\s+(?:pregnant|child|patient\s+with)|for\s+(?:a\s+)?(?:pregnant|children))\b|如果|若|假如|假设|倘若|要是|万一|否则|除非",
    re.IGNORECASE,
)
_SENTENCE: Final = re.compile(
    r"[.!?]\s|[。!！?？;；\n]|\.$|\b(?:but|however)\b[,\s]|但(?:是|本|此|该)?|(?:而|则)本|[，,]\s?(?=(?:本|此|该)(?:例|题|患者|病例|病人))"
)
_GUESSES: Final = re.compile(r"(?:可能|也许|或许|大概)$")
_DENIES: Final = re.compile(
    r"(?:\bnot|n't|\bnever|\bcannot|不宜|不该|不予|不|不应该?|不能|别|勿|非|无法|不要|不可)\s*$", re.IGNORECASE
)


@dataclass(frozen=True)
class Marked:
    """Words behind a mark: where the mark begins, and what follows it."""

    start: int
    words: str
    kind: str
    mark: str = ""


def marks(text: str) -> Iterator[Marked]:
    """Marks that commit, the last first."""
    found = list(_MARKS.finditer(text))[-MOST_MARKS:]
    for number, one in enumerate(reversed(found)):
        kind = "boxed" if one["boxed"] else "tag" if one["tag"] else "mark"
        until = found[len(found) - number].start() if number else len(text)
        words = _behind(text, one, kind, until)
        if words is None or (kind == "mark" and conditional(text, one.start(), one.end())):
            continue
        if kind == "mark" and _GUESSES.search(text[max(0, one.start() - 4) : one.start()]):
            continue
        if kind == "mark" and _DENIES.search(text[max(0, one.start() - 10) : one.start()]):
            words = "not " + words
        yield Marked(one.start(), words, kind, one[0])


def _behind(text: str, mark: re.Match[str], kind: str, until: int) -> str | None:
    rest = text[mark.end() : mark.end() + 600]
    if kind == "boxed":
        depth = 1
        for at, sign in enumerate(rest):
            depth += (sign == "{") - (sign == "}")
            if depth == 0:
                return re.sub(r"\\(?:text|mathrm|textbf|mathbf|rm)\s*\{([^{}]*)\}", r"\1", rest[:at])
        return None
    if kind == "tag":
        end = rest.find("</")
        return rest[:end] if end >= 0 else rest
    return rest[: max(0, until - mark.end())] if until > mark.end() else ""


def conditional(text: str, start: int, end: int) -> bool:
    """Whether the sentence up to a mark, or right behind what it names, sets a condition."""
    before = text[max(0, start - 300) : start]
    cut = [found.end() for found in _SENTENCE.finditer(before)]
    sentence = before[cut[-1] :] if cut else before
    if _CONDITION.search(sentence):
        return not re.search(
            r"if\s+(?:I|we)\s+(?:had|have|must|am|were)|if\s+forced|如果(?:必须|一定要|只能)", sentence, re.IGNORECASE
        )
    if re.search(r"would\s+be\s*$", text[start:end], re.IGNORECASE):
        behind = _SENTENCE.split(text[end : end + 200], maxsplit=1)[0]
        return bool(re.search(r"\bif\b", behind))
    behind = _SENTENCE.split(text[end : end + 120], maxsplit=1)[0]
    return bool(re.match(r"\W*[A-J]\W{0,3}\s*(?:if|unless|when)\b", behind))
