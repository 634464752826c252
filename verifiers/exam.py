"""Multiple choice: the exact set of letters that an answer commits itself to."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, field_validator

from schemas.verdict import Verdict, partly, right, unparsed, wrong
from verifiers.reading.choice import LETTERS, NONE, Choice, bare, choice, found_options, squeezed
from verifiers.reading.cleaning import own_question, said, without_quotations
from verifiers.reading.commitment import Marked, conditional, marks
from verifiers.reading.json_answer import MISSING, field_of, json_values, unfenced
from verifiers.verifier import ReferenceModel, verifier

ANSWER_FIELDS: Final = frozenset(
    [
        "answer",
        "finalanswer",
        "correctanswer",
        "choice",
        "option",
        "selected",
        "selection",
        "answers",
        "result",
        "final",
        "correct",
        "prediction",
        "answerchoice",
        "answeridx",
        "letter",
        "答案",
        "最终答案",
        "正确答案",
        "选项",
        "选择",
        "回答",
    ]
)
_REVISED: Final = re.compile(
    r"\b(?:wait|on\s+reflection|on\s+second\s+thought|correction|scratch\s+that|i\s+was\s+wrong|hold\s+on|let\s+me\s+reconsider|reconsidering|i\s+take\s+that\s+back|change\s+my\s+mind|changed\s+my\s+mind|that\s+is\s+wrong|that's\s+wrong|this\s+is\s+wrong|actually)\b|不对|等等|更正|重新考虑|再想想|我错了|修正",
    re.IGNORECASE,
)
_CORRECT: Final = re.compile(
    r"(?:(?:only|option|choice|answer|选项|只有|仅)\s*)?(?<![A-Za-z0-9'’])[(（*]{0,3}([A-J]{1,10}(?:\s{0,2}(?:[、，,/&]|\band\b|和|及|与|以及)\s{0,2}(?:and\s|和)?\s?[A-J](?![A-Za-z])){0,9})[)）.*]{0,3}\s*(?:选项|项)?\s*(?:均|都|全)?\s*(?:is|are|是|为|属于)?\s*(?:therefore\s+|thus\s+)?(?:the\s+|clearly\s+)?(?:only\s+|single\s+|most\s+)?(?:correct|right|best\s+(?:answer|choice|option)|(?:the\s+)?answer\b|likely\s+correct|appropriate|正确|符合题意|最佳|最符合)",
)
_UNDECIDED: Final = re.compile(
    r"cannot\s+(?:decide|choose|say|tell|determine\s+which)|can't\s+(?:decide|choose|say|tell)|not\s+sure\s+(?:which|whether)|unable\s+to\s+(?:decide|choose|determine)|could\s+be\s+(?:either|any)|无法(?:确定|判断|选择|决定)|不(?:能|好)确定|难以(?:确定|选择)",
    re.IGNORECASE,
)

_BESIDE: Final = re.compile(
    r"也(?:可能|可以|许)?(?:是|选)?\s*[A-J](?![A-Za-z])|还是\s*[A-J](?![A-Za-z])"
    r"|\b(?:possibly|maybe|perhaps|but|though|although|or)\b[^.\n]{0,25}?\b(?:could|might|may|possibly|perhaps|maybe)\b[^.\n]{0,20}?(?<![A-Za-z])[B-HJ](?![A-Za-z'’])"
    r"|[,;]\s*(?:possibly|maybe|perhaps)\s+(?:also\s+)?[A-J](?![A-Za-z'’])",
)


def _letter_key(key: Any) -> Any:
    told = "".join(key) if isinstance(key, list) else key
    return re.sub(r"[^A-J]", "", str(told).upper()) if isinstance(told, str) else told


class ExamReference(ReferenceModel):
    """The key, such as "B" or "ACD"; options by letter; `partial`: whether a part of several letters counts."""

    key: Annotated[str, BeforeValidator(_letter_key)]
    options: dict[str, str] = {}
    partial: bool = False

    @field_validator("key")
    @classmethod
    def _some(cls, key: str) -> str:
        if not key:
            raise ValueError("a key holds one letter at least")
        return key


@verifier("exam", reference=ExamReference)
def exam(prompt: str, answer: str, reference: ExamReference) -> Verdict:
    """Exact set of letters; where `partial` says so, a part without a wrong letter counts for its share."""
    options = {letter.strip().upper(): text for letter, text in reference.options.items()}
    found = committed(said(answer, prompt), options)
    if not found.letters:
        return unparsed(found.why or "no answer that the text commits itself to")
    told, key = "".join(sorted(found.letters)), "".join(sorted(set(reference.key)))
    if told == key:
        return right(told, f"{told} is the key")
    if reference.partial and found.letters < set(key):
        return partly(len(found.letters) / len(key), told, f"{told} of {key}, nothing wrong")
    return wrong(told, f"{told} is not {key}")


def committed(text: str, options: dict[str, str]) -> Choice:
    """The choice that a text commits itself to."""
    if not text:
        return Choice(why="nothing is said")
    told = NONE
    for part in own_question(text):
        told = _committed(part, options)
        if told.letters or told.why:
            return told
    return told


def _committed(text: str, options: dict[str, str]) -> Choice:
    in_json = _json(text, options)
    if in_json is not None:
        return in_json
    quiet = without_quotations(text)
    alone = _alone(text, options)
    if alone.letters:
        return alone
    denied: set[str] = set(alone.denied)
    why = alone.why
    candidates = sorted([*marks(quiet), *_predicates(quiet)], key=lambda one: -one.start)
    for number, one in enumerate(candidates):
        found = choice(one.words, options)
        denied |= found.denied
        if found.letters:
            later = _taken_back(quiet[one.start :], options)
            if later is not None:
                return later
            if found.letters & denied:
                return Choice(why=f"{''.join(sorted(found.letters & denied))} is denied in the same answer")
            if _UNDECIDED.search(quiet[one.start : one.start + 300]) or _hedged(quiet, one):
                return Choice(why="undecided")
            return found
        if found.why:
            # "A or C" after a mark is the last word of the text.
            return Choice(why=found.why) if number == 0 or one.kind != "mark" else found
    last = text.strip().splitlines()[-1] if text.strip() else ""
    if last != text.strip() and len(last) <= 200:
        found = choice(without_quotations(last), options, short=False)
        if found.letters and not (found.letters & denied) and _is_bare(last, options):
            return found
    return Choice(why=why)


def _predicates(text: str) -> list[Marked]:
    """ "B is correct": letters before what says that they are."""
    return [
        Marked(found.start(), found[1], "predicate")
        for found in list(_CORRECT.finditer(text))[-50:]
        if not conditional(text, found.start(), found.end())
        and not re.search(r"(?:\bnot|\bnor|\bneither|n't|不是?|并非|说|认为|\bwhether|\bthat)\s*$", text[max(0, found.start() - 12) : found.start()], re.IGNORECASE)
    ]  # fmt: skip


def _hedged(text: str, one: Marked) -> bool:
    """Whether the sentence of a mark sets another letter beside the one that it names."""
    behind = re.split(r"[。\n]|\.\s", text[one.start : one.start + 200], maxsplit=1)[0]
    return bool(_BESIDE.search(behind))


def _taken_back(behind: str, options: dict[str, str]) -> Choice | None:
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


def _alone(text: str, options: dict[str, str]) -> Choice:
    """A whole answer that is a choice: "B", "B. Metoprolol", "A, C and D", an option's text."""
    first = text.strip()
    if len(first) > 400 and "\n" not in first[:400]:
        first = first[:400]
    if any(True for _ in marks(first)) or _UNDECIDED.search(first):
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
    if told.letters and _BESIDE.search(first.split("\n")[0]):
        return Choice(why="another letter is set beside it")
    if told.letters and _REVISED.search(text):
        back = _taken_back(text, options)
        return back if back is not None else told
    if (
        told.letters
        and re.search(r"\bif\b|\bunless\b|如果|若", first.split("\n")[0])
        and re.search(r"[A-J]\W*(?:if|unless|如果|若)|otherwise|否则", first)
    ):
        return Choice(why="under a condition")
    return told


_JUDGED: Final = re.compile(
    r"[\s*_(\[（【-]*(?:option\s+|选项\s*)?([A-J])[\s*_)\]）】.]*[:：、\s-]\s*"
    r"(?:(yes|true|correct|right|是|对|正确|√|✓)|(no|false|incorrect|wrong|not|否|不是|错|错误|不正确|×|✗))[\s.。*]*",
    re.IGNORECASE,
)


def _judged_one_by_one(text: str, options: dict[str, str]) -> Choice | None:
    """A list that says of every option whether it holds; None where the answer is no such list."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
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
    if len(sentences) < 2 or not _is_bare(sentences[-1], options):
        return denied
    others = [choice(one, options, short=False) for one in sentences[:-1]]
    last = choice(sentences[-1], options, short=False)
    lost = denied.denied.union(*(one.denied for one in others))
    return denied if any(one.letters for one in others) or last.letters & lost else Choice(last.letters, lost)


_TELLS: Final = re.compile(
    r"(?:\b(?:is|are|be|recommend|give|prescribe|order|start|choose|suspect)\b|[是为选]|应(?:予|行|做|给予))\s*(?:most\s+likely\s+|probably\s+|likely\s+)?(?:an?\s+|the\s+)?$",
    re.IGNORECASE,
)
_DOUBTS: Final = re.compile(
    r"\b(?:not|no|never|neither|if|unless|avoid|contraindicat\w*|wrong|except|exclud\w*|rul\w+\s+out|instead|rather|but|or|history|unlikely|might|could|may|would\s+have)\b|n't\b|[不非无若]|如果|除|排|避免|禁|可能|或",
    re.IGNORECASE,
)


def _sentence_of_option(text: str, options: dict[str, str]) -> Choice | None:
    """One short sentence that ends in an option's text: "First choice is metoprolol." """
    line = text.strip().rstrip(".。!！* ")
    behind = re.search(r"\s*[(（]([A-J])[)）]$", line)
    line = line[: behind.start()] if behind else line
    if len(line) > 160 or "\n" in line or _DOUBTS.search(line):
        return None
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
        if _is_bare(line, options):
            found = choice(line, options, short=False)
            if found.letters and found.letters - told.letters:
                return False
    return True


def _is_bare(line: str, options: dict[str, str]) -> bool:
    """Whether a line is nothing but a choice."""
    valid = "".join(sorted(options)) or LETTERS
    if re.fullmatch(rf"[\s*_(\[（【]*[{valid}](?:[\s,，、/&]*(?:and\s+)?[{valid}])*[\s*_)\]）】.。]*", line):
        return True
    lead = re.match(rf"[\s*_(\[（【-]*([{valid}])[\s*_)\]）】.:：、]+(.+)$", line)
    if lead and lead[1] in options:
        return bare(lead[2]) == bare(options[lead[1]])
    return False


def _json(text: str, options: dict[str, str]) -> Choice | None:
    """A choice in JSON; None where the answer holds none."""
    stripped = unfenced(text).strip()
    if not stripped.startswith(("{", "[")) and "{" not in stripped:
        return None
    values = json_values(stripped)
    told = [found for found in (field_of(value, ANSWER_FIELDS) for value in values) if found is not MISSING]
    if not told:
        listed = [value for value in values if isinstance(value, list) and all(isinstance(one, str) for one in value)]
        if listed and stripped.startswith("["):
            told = [listed[-1]]
        elif re.match(r"[\[{]", stripped) and re.match(r"\{\s*['\"]", stripped):
            return Choice(why="JSON that cannot be read, or without an answer")
        else:
            return None
    last = told[-1]
    tail = stripped[stripped.rfind("}") + 1 :] if "}" in stripped else ""
    if any(True for _ in marks(tail)):
        return None  # words behind the object have the last say
    if isinstance(last, dict):
        last = field_of(last, ANSWER_FIELDS | {"letter", "value", "text", "label"})
    if isinstance(last, list):
        chosen = [choice(str(one), options) for one in last]
        if not chosen or any(len(one.letters) != 1 for one in chosen):
            return Choice(why="a list that holds something else than options")
        return Choice(frozenset().union(*(one.letters for one in chosen)))
    if not isinstance(last, str) or not last.strip():
        return Choice(why="no letter in the field of the answer")
    found = choice(last, options)
    return found if found.letters else Choice(why=found.why or "no option in the field of the answer")
