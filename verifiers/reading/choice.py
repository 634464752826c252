"""A choice among lettered options, read from a few words: letters, an option's text, or both where they agree.

`choice` reads what stands behind a mark such as "Answer:", or a whole short answer. It never guesses:
a letter that begins a word ("B12", "A型"), a letter beside another option's text, and "A or C" are no choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from verifiers.reading.option_text import BEST, all_but, at_the_end, by_text, lines_of_options, whole_text
from verifiers.reading.options import ARTICLES, LETTERS, NONE, Choice, bare, found_options, squeezed

_OPENING: Final = " \t\n*_`~\"'“”‘’([{（【《<>$\\:：-—–=.。、#"
_SEPARATOR: Final = re.compile(
    r"[\s]*(?:,|，|、|;|；|/|\+|&|\band\b|和|及|与|以及|\s)+[\s]*(?:and\b|和|及|与|以及)?[\s]*"
)
_EITHER: Final = re.compile(r"\s*(?:,\s*)?(?:\bor\b|或者?|还是|\bversus\b|\bvs\.?)\s*[(（]?\s*", re.IGNORECASE)
_PREFIX: Final = re.compile(
    r"(?:(?:the\s+)?(?:correct\s+|right\s+|best\s+|final\s+|most\s+likely\s+)*(?:options?|choices?|letters?|answers?)(?:\s+is|\s+are)?\s*[:：]?\s*|选项\s*|答案\s*[是为:：]?\s*|选\s*|是\s*|为\s*|应为\s*|1\s*[.)、]\s*(?=\(?[A-J]\b)|probably\s+|most\s+likely\s+|likely\s+|clearly\s+|therefore\s*,?\s*|definitely\s+|only\s+)",
    re.IGNORECASE,
)
_AFTER_IDEOGRAPH: Final = re.compile(
    r"(?:选项|项|[两二三四五六七八]项|[两二三四五六七八]个|是|为|正确|对|不|均|都|最|和|与|及|或|更|符合|，|。|、|；|：|因|故|而|（)"
)
_NEGATION: Final = re.compile(
    r"(?:\bnot\b|\bnever\b|\bneither\b|\bexcept\b|\bbut\b|n't\b|\bno\b|\bexclud\w*|\brul\w*\s+out|\bother\s+than\b|\brather\s+than\b|\beliminat\w*|不是|并非|而非|非|不选|不应|不能|不|排除|除外|除了|除)\s*(?:the\s+|an?\s+|option\s+|answer\s+|选项\s*)?$",
    re.IGNORECASE,
)
_EXPLAINS: Final = re.compile(
    r"(?:\d|sure\b|confiden|most\b|best\b|correct|sorry|no\b|wait|because|since|as\b|for\b|due|is\b|are\b|was\b|it\b|this|that|the\s|class\b|level\b|grade\b|evidence|recommend|which|given|with|so\b|and\s|but\b|rather|not\b|instead|in\b|here|by\b|explanation|reason|therefore|when|who|she|he|they|we\b|you\b|if\b|最|是|因|由|故|解析|理由|该|此|本|患者|为|正确|均|可|不|，|根据|考虑|符合)",
    re.IGNORECASE,
)
_ALL_HOLD: Final = re.compile(r"\s*(?:均|都|皆|全)(?:是|为|属于?|对|正确|符合|成立)(?![^。\n]{0,8}(?:错|不|非|没))")


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
    instead_of = re.match(
        rf"(?:instead\s+of|rather\s+than)\s+(?:options?\s+)?\(?[{valid}]\)?,\s*(?:choose|I\s+choose|it\s+is)?\s*(?=\(?[{valid}]\b)",
        head,
        re.IGNORECASE,
    )
    head = head[instead_of.end() :] if instead_of else head
    whole = all_but(head, options) or lines_of_options(text, options) or whole_text(head, options)
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
    named = by_text(head, options)
    return named if named.letters or named.why or not short else at_the_end(head, options)


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
        named = named or [one for one in found_options(ARTICLES.sub("", words), options) if one[0] == 0]
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
        r"\s*[:：]\s*(?:no\b|not\b|wrong|false|incorrect|错|否|不|×|✗)|\s*(?:is|are|was|were)\s*(?:not|n't|wrong|incorrect|false|excluded|contraindicated)|\s*(?:isn't|aren't)|\s*(?:均|都|皆)?\s*(?:不|错|非|应?排除)",
        rest,
        re.IGNORECASE,
    )
    if denies:
        return _after_denial(rest[denies.end() :], chosen, options)
    if re.match(r"[\s*_)\]]*[?？]", rest):
        return Choice(why="a question mark stands behind it")
    if not short and rest.strip(_OPENING + ")]}）】*!！,，;；>") and not mark:
        if (
            not BEST.match(rest)
            and not _ALL_HOLD.match(rest)
            and not rest.startswith("。")  # ends a sentence, where a stop behind "A." may begin an option
            and not re.match(r"\s*(?:it\s+is|it['’]s|for\s+sure|definitely|certainly|obviously|then)\W*$", rest)
            and not re.match(r"\s*(?:选项|项|对|正确|符合)[。.!！]*\s*(?:$|[,，。\n])", rest)
            and not re.match(
                r"\s*(?:because|since|as\b|due|by\b|rather\s+than|instead\s+of|(?:and|but)\s+not|而不是|而非|—|–|-)",
                rest,
            )
            and not re.match(r"\s*[√✓]\W*$", rest)
            and not re.match(r"\s*[两二三四五六七八][项个]\W*$", rest)
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
