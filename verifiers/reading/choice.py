"""A choice among lettered options, read from a few words: letters, an option's text, or both where they agree.

`choice` reads what stands behind a mark such as "Answer:", or a whole short answer. It never guesses:
a letter that begins a word ("B12", "A型"), a letter beside another option's text, and "A or C" are no choice.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LETTERS: Final = "ABCDEFGHIJ"
_OPENING: Final = " \t\n*_`~\"'“”‘’([{（【《<>$\\:：-—–=.。、#"
_SEPARATOR: Final = re.compile(
    r"[\s]*(?:,|，|、|;|；|/|\+|&|\band\b|和|及|与|以及|\s)+[\s]*(?:and\b|和|及|与|以及)?[\s]*"
)
_EITHER: Final = re.compile(r"\s*(?:,\s*)?(?:\bor\b|或者?|还是|\bversus\b|\bvs\.?)\s*[(（]?\s*", re.IGNORECASE)
_PREFIX: Final = re.compile(
    r"(?:(?:the\s+)?(?:correct\s+|right\s+|best\s+|final\s+|most\s+likely\s+)*(?:options?|choices?|letters?|answers?)(?:\s+is|\s+are)?\s*[:：]?\s*|选项\s*|答案\s*[是为:：]?\s*|选\s*|是\s*|为\s*|应为\s*|probably\s+|most\s+likely\s+|likely\s+|clearly\s+|therefore\s*,?\s*|definitely\s+|only\s+)",
    re.IGNORECASE,
)
_AFTER_IDEOGRAPH: Final = re.compile(
    r"(?:选项|项|是|为|正确|对|不|均|都|最|和|与|及|或|更|符合|，|。|、|；|：|因|故|而|（)"
)
_NEGATION: Final = re.compile(
    r"(?:\bnot\b|\bnever\b|\bneither\b|\bexcept\b|\bbut\b|n't\b|\bno\b|\bexclud\w*|\brul\w*\s+out|\bother\s+than\b|\brather\s+than\b|\beliminat\w*|不是|并非|而非|非|不选|不应|不能|不|排除|除外|除了|除)\s*(?:the\s+|an?\s+|option\s+|answer\s+|选项\s*)?$",
    re.IGNORECASE,
)
_EXPLAINS: Final = re.compile(
    r"(?:\d|sure\b|confiden|most\b|best\b|correct|sorry|no\b|wait|because|since|as\b|for\b|due|is\b|are\b|was\b|it\b|this|that|the\s|which|given|with|so\b|and\s|but\b|rather|not\b|instead|in\b|here|by\b|explanation|reason|therefore|when|who|she|he|they|we\b|you\b|if\b|最|是|因|由|故|解析|理由|该|此|本|患者|为|正确|均|可|不|，|根据|考虑|符合)",
    re.IGNORECASE,
)
_BEST: Final = re.compile(
    r"^[\s,]*(?:is|are|was|would\s+be|should\s+be|seems|是|为|最)\s*(?!not|n't|不|错)(?:the\s+|probably\s+|clearly\s+|most\s+)*(?:single\s+)?(?:correct|right|best|first|most\s+likely|most\s+appropriate|answer|preferred|indicated|drug|treatment|diagnosis|choice|next|正确|最佳|首选|答案|合适|可能)",
    re.IGNORECASE,
)


_ALL_HOLD: Final = re.compile(r"\s*(?:均|都|皆)(?:是|为|属于?)(?![^。\n]{0,8}(?:错|不|非|没))")


@dataclass(frozen=True)
class Choice:
    """Letters that were chosen, those that were denied, or why nothing was chosen."""

    letters: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    why: str = ""


NONE: Final = Choice()


def squeezed(text: str) -> str:
    """Lower case, words apart by one blank, other marks gone; `/`, `-`, `+` and `.` within a word stay as blanks."""
    return " ".join(re.findall(r"[a-z0-9µα-ω%²³⁺⁻]+|[^\W\d_a-z]", text.casefold()))


_ARTICLES: Final = re.compile(r"^(?:(?:an?|the|give|start|use|prescribe|order|perform) (?=[a-z]{2}))+")


def bare(text: str) -> str:
    """`squeezed` without an article before it."""
    return _ARTICLES.sub("", squeezed(text))


def found_options(words: str, options: Mapping[str, str]) -> list[tuple[int, int, str]]:
    """Options whose text stands in `words` (squeezed), as (start, end, letter), the longer before what it holds."""
    found: list[tuple[int, int, str]] = []
    padded = f" {words} "
    for letter, text in sorted(options.items(), key=lambda one: -len(one[1])):
        wanted = bare(text)
        if not wanted:
            continue
        at = padded.find(f" {wanted} ")
        while at >= 0:
            start, end = at, at + len(wanted)
            if all(end <= other[0] or start >= other[1] for other in found):
                found.append((start, end, letter))
            at = padded.find(f" {wanted} ", at + 1)
    return sorted(found)


def _boundary(text: str, at: int, letter: str) -> bool:
    """Whether a letter that ends at `at` stands alone, and is not the first of a word, a type or an article."""
    if at >= len(text):
        return True
    after = text[at]
    if after.isascii() and (after.isalnum() or after in "_²³+%'’"):
        return (after in "'’" and not text[at + 1 : at + 2].isalnum()) or (
            after == "+" and text[at + 1 : at + 2].isupper()
        )
    if after == "-" and at + 1 < len(text) and text[at + 1].isalnum():
        return False
    if "\u3400" <= after <= "\u9fff":
        return bool(_AFTER_IDEOGRAPH.match(text, at))
    if after == "." and text[at + 1 : at + 2].isalnum():
        return text[at + 1 : at + 2].isupper() or text[at + 1 : at + 2] >= "\u3400"
    if after == " " and letter in "AI":
        rest = text[at + 1 : at + 30].lstrip()
        return (
            not rest
            or not (rest[0].islower() or rest[:1].isdigit())
            or bool(_EXPLAINS.match(rest) and letter == "A")
            or rest.startswith(("and ", "or "))
        )
    return True


def _letters(text: str, valid: str) -> tuple[list[str], int, bool]:
    """Letters at the start of `text`, where they end, and whether an "or" stands between them."""
    found: list[str] = []
    at, either, slashes = 0, False, 0
    while at < len(text):
        start = at
        while at < len(text) and text[at] in _OPENING:
            at += 1
        lead = re.compile(r"(?:options?|choices?|选项)\s*", re.IGNORECASE).match(text, at)
        at = lead.end() if lead else at
        while lead and at < len(text) and text[at] in _OPENING:
            at += 1
        run = re.compile(rf"[{valid}]+").match(text, at)
        if run is None or len(set(run[0])) != len(run[0]) or not _boundary(text, run.end(), run[0]):
            return found, start if found else 0, either or (slashes > 0 and len(found) == 2)
        found += run[0]
        at = run.end()
        closing = re.compile(r"(?:\s*[*_`~\"'”’)\]}）】>$.]+)*").match(text, at)
        end = closing.end() if closing else at
        apart = _EITHER.match(text, end)
        if apart and apart.end() > end:
            if _letters_follow(text, apart.end(), valid):
                either, at = True, apart.end()
                continue
            return found, at, either
        if text[end : end + 1] in ("(", "[", "（") and end > at and _letters_follow(text, end, valid):
            at = end
            continue
        joined = _SEPARATOR.match(text, end)
        if joined is None or not _letters_follow(text, joined.end(), valid):
            return found, at, either or (slashes > 0 and len(found) == 2)
        slashes += "/" in joined[0]
        at = joined.end()
    return found, at, either or (slashes > 0 and len(found) == 2)


def _letters_follow(text: str, at: int, valid: str) -> bool:
    lead = re.compile(r"[\s*_`(\[（【]*(?:options?\s*|选项\s*)?[\s*_`(\[（【]*").match(text, at)
    at = lead.end() if lead else at
    run = re.compile(rf"[{valid}]+").match(text, at)
    return run is not None and len(set(run[0])) == len(run[0]) and _boundary(text, run.end(), run[0])


def choice(text: str, options: Mapping[str, str], short: bool = True) -> Choice:
    """What a few words choose.

    Args:
        text: what stands behind a mark, or a whole answer.
        options: letter to text; letters A to J where a question tells none.
        short: whether these words are marked as the answer, so that prose behind the choice is explanation.
    """
    text = text[:600].strip()
    valid = "".join(sorted(options)) or LETTERS
    head = text
    while True:
        lead = _PREFIX.match(head.lstrip(_OPENING))
        if lead is None or lead.end() == 0:
            break
        head = head.lstrip(_OPENING)[lead.end() :]
    whole = _lines_of_options(text, options) or _whole_text(head, options)
    if whole is not None:
        return whole
    denied = re.match(
        r"[\s*_]*(?:not|never|neither|anything\s+but|all\s+but|everything\s+but|any\s+option\s+(?:but|except)|none\s+of|不是|并非|不选|排除|除|非)\s*(?:the\s+|option\s+)?",
        head,
        re.IGNORECASE,
    )
    if denied:
        told, end, _ = _letters(head[denied.end() :], valid)
        instead = re.search(
            r"(?:而是|but\s+(?:rather\s+)?|应[是为选]|[,，]\s*是|,\s*(?:it\s+is|rather)\s+)",
            head[denied.end() + end :],
            re.IGNORECASE,
        )
        words = found_options(squeezed(head[denied.end() :]), options)
        lost = frozenset(told) or frozenset(letter for _, _, letter in words[:1])
        if instead and told:
            after = choice(head[denied.end() + end + instead.end() :], options)
            return Choice(after.letters - lost, lost | after.denied, after.why)
        return Choice(frozenset(), lost, "what it names it denies")
    if (
        re.fullmatch(r"[a-j]", head.strip(_OPENING + ")].】）}*。，,;；!！"))
        and head.strip(_OPENING + ")].】）}*。，,;；!！").upper() in valid
    ):
        return Choice(frozenset(head.strip(_OPENING + ")].】）}*。，,;；!！").upper()))
    lower = re.fullmatch(r"[a-j](?:\s*[,，、]?\s*(?:and\s+)?[a-j])+", head.strip(_OPENING + ")].】）}*。"))
    if lower:
        told_lower = (
            re.findall(r"(?<![a-z])[a-j](?![a-z])", head) if re.search(r"[\s,，、]", lower[0]) else list(lower[0])
        )
        if len(set(told_lower)) == len(told_lower) and all(one.upper() in valid for one in told_lower):
            return Choice(frozenset(one.upper() for one in told_lower))
    lower_with_text = re.match(r"[\s*_\"']*\(?([a-j])\s*[).:、．]\s*(.+)", head)
    if lower_with_text and bare(lower_with_text[2]) == bare(options.get(lower_with_text[1].upper(), "\0")):
        return Choice(frozenset(lower_with_text[1].upper()))
    bracketed = re.match(r"[\s*_\"']*[(\[]\s*([a-j])\s*[)\]]", head)
    if bracketed and bracketed[1].upper() in valid:
        head = head[: bracketed.start(1)] + bracketed[1].upper() + head[bracketed.end(1) :]
    letters, end, either = _letters(head, valid)
    if letters:
        return _with_text(head, letters, end, either, options, short)
    named = _by_text(head, options)
    return named if named.letters or named.why or not short else _at_the_end(head, options)


def _whole_text(text: str, options: Mapping[str, str]) -> Choice | None:
    """An option whose very text these words are, whatever letters stand in it."""
    line = bare(re.split(r"\n", text.strip(), maxsplit=1)[0])
    full = bare(text)
    for words in (full, line):
        same = [letter for letter, told in options.items() if bare(told) == words and words]
        if len(same) == 1 and len(squeezed(options[same[0]])) > 1:
            return Choice(frozenset(same))
    return None


def _with_text(
    text: str, letters: list[str], end: int, either: bool, options: Mapping[str, str], short: bool
) -> Choice:
    chosen = frozenset(letters)
    if either and len(chosen) > 1:
        return Choice(why=f"{' or '.join(letters)}: no choice between them")
    rest = text[end:]
    beside = re.match(r"[\s*_`\"'”’)\]}）】>$]*([.:：,，、;；(（\-–—=]|\n)?\s*", rest)
    after = rest[beside.end() :] if beside else rest
    mark = (beside[1] if beside else None) or ""
    first = re.split(r"[\n。;；!！]|\.\s|\.$", after, maxsplit=1)[0] if mark != "\n" else ""
    phrase = re.split(r"[)）]", first, maxsplit=1)[0] if mark in ("(", "（") else first
    if len(chosen) == 1 and options:
        (letter,) = chosen
        words = squeezed(phrase)
        named = [one for one in found_options(words, options) if one[0] <= (4 if mark in ("(", "（") else 0)]
        named = named or [one for one in found_options(_ARTICLES.sub("", words), options) if one[0] == 0]
        if (
            named
            and named[0][2] != letter
            and (mark not in (",", "，", ";", "；") or bare(phrase) == bare(options[named[0][2]]))
            and bare(options[letter]) != bare(options[named[0][2]])
        ):
            return Choice(why=f"{letter} beside the text of {named[0][2]}")
        if not named and phrase.strip() and mark in tuple(":：(（.") and options.get(letter):
            if _another_text(phrase, options[letter]):
                return Choice(why=f"{letter} beside words that are not its text")
        if named and named[0][2] == letter:
            return Choice(chosen)
        if (
            not named
            and not mark
            and rest[:1] in (")", "）")
            and phrase.strip()
            and _another_text(phrase, options[letter])
        ):
            return Choice(why=f"{letter} beside words that are not its text")
    if re.match(r"\s*(?:or\b|或|还是)", rest, re.IGNORECASE):
        return Choice(why="an alternative stands beside it")
    denies = re.match(
        r"\s*(?:is|are|was|were)\s*(?:not|n't|wrong|incorrect|false|excluded|contraindicated)|\s*(?:isn't|aren't)|\s*(?:均|都|皆)?\s*(?:不|错|非|应?排除)",
        rest,
        re.IGNORECASE,
    )
    if denies:
        return _after_denial(rest[denies.end() :], chosen, options)
    if re.match(r"[\s*_)\]]*[?？]", rest):
        return Choice(why="a question mark stands behind it")
    if not short and rest.strip(_OPENING + ")]}）】*!！,，;；>") and not mark:
        if (
            not _BEST.match(rest)
            and not _ALL_HOLD.match(rest)
            and not rest.startswith("。")  # ends a sentence, where a stop behind "A." may begin an option
            and not re.match(r"\s*(?:it\s+is|it['’]s|for\s+sure|definitely|certainly|obviously|then)\W*$", rest)
            and not re.match(r"\s*(?:选项|项|对|正确|符合)[。.!！]*\s*(?:$|[,，。\n])", rest)
            and not re.match(r"\s*(?:because|since|as\b|due|by\b|—|–|-)", rest)
        ):
            return Choice(why="letters that open a sentence")
    if (
        not short
        and not _ALL_HOLD.match(rest)
        and re.match(r"[\s,，、]*(?:均|都|皆|could|may|might|can|are\s+all|all)", rest)
    ):
        return Choice(why="letters that open a sentence")
    excluded = _excluded_behind(rest, options)
    return Choice(chosen, excluded)


def _after_denial(rest: str, lost: frozenset[str], options: Mapping[str, str]) -> Choice:
    found = re.search(r"(?:故选|应选|选|答案是|答案为|而是|the\s+answer\s+is|so\s+)\s*", rest, re.IGNORECASE)
    after = choice(rest[found.end() :], options) if found else NONE
    return Choice(after.letters - lost, lost | after.denied, after.why or "what it names it denies")


def _excluded_behind(rest: str, options: Mapping[str, str]) -> frozenset[str]:
    valid = "".join(sorted(options)) or LETTERS
    found = re.match(
        r"[\s,，;；(（]*(?:and\s+)?(?:not|而不是|不是|而非|rather\s+than|instead\s+of)\s*", rest, re.IGNORECASE
    )
    return frozenset(_letters(rest[found.end() :], valid)[0]) if found else frozenset()


def _another_text(phrase: str, own: str) -> bool:
    """Whether a few words beside a letter name something else than its option, rather than explain."""
    words, mine = squeezed(phrase).split(), set(squeezed(own).split())
    if not words or _EXPLAINS.match(phrase.strip()):
        return False
    unspaced = any(one[0] >= "\u3400" for one in words)
    if len(words) > (12 if unspaced else 5):
        return False
    stems = {one[:5] for one in mine if len(one) > 3}
    if any(one[:5] in stems for one in words if len(one) > 3):
        return False
    return len(mine & set(words)) < (max(1, len(mine) // 2) if unspaced else 1)


_ITEMS: Final = re.compile(r"\n|(?:[;,，、；]|\band\b|和)\s*(?=\(?[A-J]\s?[).:：、．(（])")


def _lines_of_options(text: str, options: Mapping[str, str]) -> Choice | None:
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
        lead = re.match(r"\(?([A-J])\s?[).:：、．(（]\s*(.+?)[)）]?$", line)
        if lead is None or lead[1] not in options or bare(lead[2]) != bare(options[lead[1]]):
            return None
        found.append(lead[1])
    return Choice(frozenset(found))


def _at_the_end(text: str, options: Mapping[str, str]) -> Choice:
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


_GLUE: Final = re.compile(r"^(?:and|the|a|an|plus|as|well|with|both|和|及|与|以|以及| )*$")


def _by_text(text: str, options: Mapping[str, str]) -> Choice:
    """Options named by their text alone."""
    sentence = re.split(r"\n|[。!！]|\.\s|\.$", text.strip(), maxsplit=1)[0]
    words = bare(sentence)
    found = found_options(words, options)
    if not found or found[0][0] > 0:
        return NONE
    letters = [letter for _, _, letter in found]
    between = [words[max(0, one[1]) : two[0]].strip() for one, two in itertools.pairwise(found)]
    if any(re.search(r"\bor\b|或|还 是|\bversus\b|\bvs\b", one) for one in between):
        return Choice(why="alternatives")
    behind = words[found[-1][1] :].strip()
    if len(letters) > 1 and not all(_GLUE.match(one) for one in between):
        if re.match(r"(?:not\b|rather than|instead of|over\b|不 是|而 非)", between[0]):
            return Choice(frozenset(letters[:1]), frozenset(letters[1:]))
        return Choice(why="several options are named")
    if re.match(r"(?:or\b|或|还 是)", behind):
        return Choice(why="alternatives")
    if behind and not _neutral(behind, options, letters):
        return Choice(why="an option's text opens a sentence")
    return Choice(frozenset(letters))


def _neutral(behind: str, options: Mapping[str, str], letters: list[str]) -> bool:
    """Whether words behind an option's text leave it the answer: a dose, "is the first choice", one ideograph."""
    if re.match(r"(?:is|are|was|would|should|can|could|may|has|not|no|contraindicated|不|禁|无|也|可)", behind):
        return bool(_BEST.match(behind))
    told = re.match(r"(?:[a-z]+ ){1,4}?(?=(?:is|are) )", behind)
    if told and not re.search(r"\b(?:not|or|if|no)\b", told[0]):
        return bool(_BEST.match(behind[told.end() :]))
    if any("\u3400" <= one <= "\u9fff" for one in behind):
        return len(behind.replace(" ", "")) <= 2
    return len(behind.split()) <= 6
