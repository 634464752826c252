"""Options named by their texts: one alone, several in a list or in lines, all but some."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from verifiers.reading.options import (
    LETTERS,
    NONE,
    Choice,
    bare,
    between_options,
    found_options,
    only_glue,
    squeezed,
)

BEST: Final = re.compile(
    r"^[\s,]*(?:is|are|was|would\s+be|should\s+be|seems|是|为|最)\s*(?!not|n't|不|错)(?:the\s+|probably\s+|clearly\s+|most\s+)*(?:single\s+)?(?:correct|right|best|first|most\s+likely|most\s+appropriate|answer|preferred|indicated|drug|treatment|diagnosis|choice|next|正确|最佳|首选|答案|合适|可能)",
    re.IGNORECASE,
)


def whole_text(text: str, options: Mapping[str, str]) -> Choice | None:
    """An option whose very text these words are, whatever letters stand in it."""
    line = bare(re.split(r"\n", text.strip(), maxsplit=1)[0])
    full = bare(text)
    for words in (full, line):
        same = [letter for letter, told in options.items() if bare(told) == words and words]
        if len(same) == 1 and len(squeezed(options[same[0]])) > 1:
            return Choice(frozenset(same))
    return None


_ITEMS: Final = re.compile(r"\n|(?:[;,，、；]|\band\b|和)\s*(?=\(?[A-J](?:\s?[).:：、．(（]|\s+[^\s,，、;；]))")
_ALL_BUT: Final = re.compile(
    r"(?:(?:all|all\s+of\s+(?:them|the\s+above|these)|all\s+options|every\s+option)\s+(?:except(?:\s+for)?|but|apart\s+from|other\s+than)\s+(?:options?\s+)?(?P<en>[A-J](?:[\s,&]*(?:and\s+)?[A-J])*)(?:\s+(?:are|is)\s+(?:correct|right|true))?"
    r"|除了?\s*(?P<zh>[A-J](?:[\s,，、和及]*[A-J])*)\s*(?:以外|之外|外)?\s*[,，]?\s*(?:其余|其他|其它)?\s*(?:选项)?\s*(?:均|都|全|皆)(?:是|对|正确|选|符合))\W*",
    re.IGNORECASE,
)


def all_but(text: str, options: Mapping[str, str]) -> Choice | None:
    """ "All except B and E": every option but those; None where a text is no such words."""
    found = _ALL_BUT.fullmatch(text.strip())
    if found is None:
        return None
    left_out = set(re.findall(r"[A-J]", re.sub(r"(?i)and", "", found["en"] or found["zh"])))
    kept = frozenset(options) - left_out
    return Choice(kept, frozenset(left_out)) if left_out < set(options) and len(kept) > 1 else None


def lines_of_options(text: str, options: Mapping[str, str]) -> Choice | None:
    """Several lines of a letter with its text each."""
    lines = [
        re.sub(r"^(?:and\s+)?\d+[.)、]\s*", "", line.strip(" *-•\t;；,，、.。"))
        for line in _ITEMS.split(text.strip())
        if line.strip(" *-•\t")
    ]
    if len(lines) < 2:
        return None
    valid = "".join(sorted(options)) or LETTERS
    if all(re.fullmatch(rf"\(?[{valid}]\)?", line) for line in lines):
        return Choice(frozenset(line.strip("()") for line in lines))
    found: list[str] = []
    for line in lines:
        lead = re.match(r"\(?([A-J])(?:\s?[).:：、．(（]\s*|\s+)(.+?)[)）]?$", line)
        if lead is None or lead[1] not in options or bare(lead[2]) != bare(options[lead[1]]):
            return None
        found.append(lead[1])
    return Choice(frozenset(found))


def at_the_end(text: str, options: Mapping[str, str]) -> Choice:
    """A few words behind a mark that end in an option's text: "the beta blocker metoprolol"."""
    words = squeezed(re.split(r"[\n。;；]|\.\s|\.$", text.strip(), maxsplit=1)[0])
    found = found_options(words, options)
    if len(found) != 1 or found[0][1] != len(words) or len(words[: found[0][0]].split()) > 4:
        return NONE
    if re.search(
        r"\b(?:no|not|avoid|never|unlike|except|but|stop|without|or|if|contraindicat\w*|instead|rather|than)\b|[不非无除若避禁]",
        words,
    ):
        return NONE
    return Choice(frozenset([found[0][2]]))


_PLAIN_WORDS: Final = frozenset(["yes", "no", "maybe", "true", "false", "是", "否", "有", "无", "对", "错"])


def by_text(text: str, options: Mapping[str, str]) -> Choice:
    """Options named by their text alone."""
    sentence = re.split(r"\n|[。!！]|\.\s|\.$", text.strip(), maxsplit=1)[0]
    words = bare(sentence)
    found = found_options(words, options)
    if not found or found[0][0] > 0:
        return NONE
    letters = [letter for _, _, letter in found]
    between = between_options(words, found)
    if any(re.search(r"\bor\b|或|还 是|\bversus\b|\bvs\b", one) for one in between):
        return Choice(why="alternatives")
    behind = words[found[-1][1] :].strip()
    if len(letters) > 1 and not only_glue(words, found):
        if re.match(r"(?:not\b|rather than|instead of|over\b|不 是|而 非)", between[0]):
            return Choice(frozenset(letters[:1]), frozenset(letters[1:]))
        return Choice(why="several options are named")
    if re.match(r"(?:or\b|或|还 是)", behind):
        return Choice(why="alternatives")
    if behind and words[: found[-1][1]] in _PLAIN_WORDS and not re.match(r"\W*\w+\s*[,.;:，。；：(（-]", sentence):
        return Choice(why="a word that opens a sentence")
    if behind and not _neutral(behind, options, letters):
        return Choice(why="an option's text opens a sentence")
    return Choice(frozenset(letters))


def _neutral(behind: str, options: Mapping[str, str], letters: list[str]) -> bool:
    """Whether words behind an option's text leave it the answer: a dose, "is the first choice", one ideograph."""
    if re.match(r"(?:is|are|was|would|should|can|could|may|has|not|no|contraindicated|不|禁|无|也|可)", behind):
        return bool(BEST.match(behind))
    told = re.match(r"(?:[a-z]+ ){1,4}?(?=(?:is|are) )", behind)
    if told and not re.search(r"\b(?:not|or|if|no)\b", told[0]):
        return bool(BEST.match(behind[told.end() :]))
    if any("\u3400" <= one <= "\u9fff" for one in behind):
        return len(behind.replace(" ", "")) <= 2 or bool(
            re.fullmatch(r"(?:均|都|全) ?(?:正 ?确|符 ?合|成 ?立)", behind)
        )
    return len(behind.split()) <= 6
