"""A whole answer read as one choice: a bare letter, a sentence that ends in an option, a list that judges each; and what an answer takes back."""

from __future__ import annotations

import re
from typing import Final

from verifiers.reading.choice import choice
from verifiers.reading.commitment import marks
from verifiers.reading.options import LETTERS, NONE, Choice, bare, found_options, only_glue, squeezed

_REVISED: Final = re.compile(
    r"\b(?:wait|on\s+reflection|on\s+second\s+thought|correction|scratch\s+that|i\s+was\s+wrong|hold\s+on|let\s+me\s+reconsider|reconsidering|i\s+take\s+that\s+back|change\s+my\s+mind|changed\s+my\s+mind|that\s+is\s+wrong|that's\s+wrong|this\s+is\s+wrong|actually)\b|不对|等等|更正|重新考虑|再想想|我错了|修正",
    re.IGNORECASE,
)
UNDECIDED: Final = re.compile(
    r"cannot\s+(?:decide|choose|say|tell|determine\s+which)|can't\s+(?:decide|choose|say|tell)|not\s+sure\s+(?:which|whether)|unable\s+to\s+(?:decide|choose|determine)|could\s+be\s+(?:either|any)|无法(?:确定|判断|选择|决定)|不(?:能|好)确定|难以(?:确定|选择)",
    re.IGNORECASE,
)
BESIDE: Final = re.compile(
    r"也(?:可能|可以|许)?(?:是|选)?\s*[A-J](?![A-Za-z])|还是\s*[A-J](?![A-Za-z])"
    r"|\b(?:possibly|maybe|perhaps|but|though|although|or)\b[^.\n]{0,25}?\b(?:could|might|may|possibly|perhaps|maybe)\b[^.\n]{0,20}?(?<![A-Za-z])[B-HJ](?![A-Za-z'’])"
    r"|[,;]\s*(?:possibly|maybe|perhaps)\s+(?:also\s+)?[A-J](?![A-Za-z'’])",
)


def taken_back(behind: str, options: dict[str, str]) -> Choice | None:
    """What an answer changed at its end says; None where nothing was changed."""
    found = _REVISED.search(behind, min(len(behind), 1))
    if found is None or found.start() > 3_000:
        return None
    rest = behind[found.end() :]
    names = re.findall(r"(?<![A-Za-z0-9])([A-J])(?![A-Za-z0-9'’]|\s+[a-z])", rest)
    if not names and not _named(rest, options):
        return None
    told = choice(rest.lstrip(" ,，。.:：—-"), options)
    if told.letters and len(told.letters) == 1:
        return told
    return Choice(why="an answer that is taken back, and no other that is clear")


def _named(rest: str, options: dict[str, str]) -> bool:
    return bool(found_options(squeezed(rest[:400]), options))


def alone(text: str, options: dict[str, str]) -> Choice:
    """A whole answer that is a choice: "B", "B. Metoprolol", "A, C and D", an option's text."""
    first = text.strip()
    if len(first) > 400 and "\n" not in first[:400]:
        first = first[:400]
    if any(True for _ in marks(first)) or UNDECIDED.search(first):
        whole = choice(first, options, short=False)
        exact = {text.strip().casefold().rstrip(".。") for text in options.values()}
        return whole if first.casefold().rstrip(".。") in exact else NONE
    listed = _judged_one_by_one(text, options)
    if listed is not None:
        return listed
    told = choice(first, options, short=False)
    if told.denied and not told.letters:
        told = _after_denials(first, told, options)
    if not told.letters and not told.denied:
        told = _sentence_of_option(text, options) or told
    if told.letters and "\n" in text and not _same_throughout(text, told, options):
        return NONE
    if told.letters and BESIDE.search(first.split("\n")[0]):
        return Choice(why="another letter is set beside it")
    if told.letters and _REVISED.search(text):
        back = taken_back(text, options)
        return back if back is not None else told
    if (
        told.letters
        and _UNDER.search(first.split("\n")[0])
        and re.search(rf"[A-J]\W*(?:{_UNDER.pattern})|otherwise|否则", first, re.IGNORECASE)
    ):
        return Choice(why="under a condition")
    return told


_UNDER: Final = re.compile(
    r"\b(?:if|unless|provided|providing|as\s+long\s+as|so\s+long\s+as|assuming|on\s+condition)\b|如果|若|前提|只要|倘若|假如",
    re.IGNORECASE,
)
_JUDGED: Final = re.compile(
    r"[\s*_(\[（【-]*(?:option\s+|选项\s*)?([A-J])[\s*_)\]）】.]*[:：、\s-]*\s*"
    r"(?:(yes|true|correct|right|是|对|正确|√|✓)|(no|false|incorrect|wrong|not|否|不是|错|错误|不正确|×|✗))[\s.。*]*",
    re.IGNORECASE,
)


def _judged_one_by_one(text: str, options: dict[str, str]) -> Choice | None:
    """A list that says of every option whether it holds; None where the answer is no such list."""
    lines = [line for line in re.split(r"\n|(?<=[√✓×✗])[\s,，;；]*(?=[A-J])", text.strip()) if line.strip()]
    if len(lines) < 2 or len(lines) > len(LETTERS):
        return None
    found = [_JUDGED.fullmatch(line) for line in lines]
    told = [one for one in found if one is not None]
    if len(told) < len(lines) or [one[1] for one in told] != sorted(options):
        return None
    chosen = frozenset(one[1] for one in told if one[2])
    return Choice(chosen) if chosen else Choice(why="every option is denied")


def _after_denials(text: str, denied: Choice, options: dict[str, str]) -> Choice:
    """ "Not A. Not C. B.": sentences that deny, and a last one that is a bare choice."""
    sentences = [one for one in re.split(r"(?<=[.。;；!！])\s*", text.strip()) if one.strip()]
    if len(sentences) < 2 or not is_bare(sentences[-1], options):
        return denied
    others = [choice(one, options, short=False) for one in sentences[:-1]]
    last = choice(sentences[-1], options, short=False)
    lost: frozenset[str] = frozenset().union(*(one.denied for one in others))
    return denied if any(one.letters for one in others) or last.letters & lost else Choice(last.letters, lost)


_TELLS: Final = re.compile(
    r"(?:\b(?:is|are|be|recommend|give|prescribe|order|start|choose|suspect|use|needs?|requires?|measure|check|obtain|perform|administer|initiate|begin|request)\b(?:\s+(?:her|him|them|the\s+patient|this\s+patient))?|[是为选]|应(?:予|行|做|给予)|推荐|给予|使用|应用|予以|采用|加用)\s*(?:most\s+likely\s+|probably\s+|likely\s+)?(?:an?\s+|the\s+)?$",
    re.IGNORECASE,
)
_TRAILING: Final = re.compile(
    r"(?:\s+(?:first(?:[\s-]line)?|now|initially|immediately|at\s+once|today|therapy|treatment|next|levels?|test|testing|assay)|(?<=[\u3400-\u9fff])(?:检查|治疗|血))$",
    re.IGNORECASE,
)
_LISTS: Final = re.compile(r"(?:\b(?:are|include|includes|give|prescribe|start|recommend|choose)|包 括|[是为有选])$")
_DOUBTS: Final = re.compile(
    r"\b(?:not|no|never|neither|if|unless|avoid|contraindicat\w*|wrong|except|exclud\w*|rul\w+\s+out|instead|rather|but|or|history|unlikely|might|could|may|would\s+have)\b|n't\b|[不非无若]|如果|除|排|避免|禁|可能|或",
    re.IGNORECASE,
)


def _sentence_of_option(text: str, options: dict[str, str]) -> Choice | None:
    """One short sentence that ends in an option's text: "First choice is metoprolol." """
    line = text.strip().rstrip(".。!！* ")
    behind = re.search(r"\s*[(（](?:(?:option|choice|answer)\s+|选项\s*)?([A-J])[)）]$", line, re.IGNORECASE)
    line = line[: behind.start()] if behind else line
    line = _TRAILING.sub("", line)
    if len(line) > 160 or "\n" in line or _DOUBTS.search(line):
        return None
    words = squeezed(line)
    several = found_options(words, options)
    if len(several) > 1 and several[-1][1] == len(words) and only_glue(words, several):
        lead = words[: several[0][0]].strip()
        return Choice(frozenset(one[2] for one in several)) if _LISTS.search(lead) else None
    ending = [
        (len(told), letter, line[: -len(told)])
        for letter, told in options.items()
        if told and line.casefold().endswith(told.casefold()) and len(line) > len(told)
    ]
    if not ending:
        return None
    _, letter, before = max(ending)
    if behind:  # the letter stands behind its own text, or behind another's
        agrees = behind[1] == letter and not _named(before, options)
        return Choice(frozenset([letter])) if agrees else Choice(why=f"{behind[1]} beside the text of {letter}")
    return Choice(frozenset([letter])) if _TELLS.search(before) and not _named(before, options) else None


def _same_throughout(text: str, told: Choice, options: dict[str, str]) -> bool:
    """Whether no later line is another bare choice."""
    lines = [line.strip() for line in text.strip().splitlines()[1:] if line.strip()]
    for line in lines[-50:] if len(told.letters) == 1 else ():
        if is_bare(line, options):
            found = choice(line, options, short=False)
            if found.letters and found.letters - told.letters:
                return False
    return True


def is_bare(line: str, options: dict[str, str]) -> bool:
    """Whether a line is nothing but a choice."""
    valid = "".join(sorted(options)) or LETTERS
    if re.fullmatch(rf"[\s*_(\[（【]*[{valid}](?:[\s,，、/&]*(?:and\s+)?[{valid}])*[\s*_)\]）】.。]*", line):
        return True
    lead = re.match(rf"[\s*_(\[（【-]*([{valid}])[\s*_)\]）】.:：、]+(.+)$", line)
    if lead and lead[1] in options:
        return bare(lead[2]) == bare(options[lead[1]])
    return False
