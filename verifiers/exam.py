"""Multiple choice: the exact set of letters that an answer commits itself to."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, field_validator

from schemas.verdict import Verdict, partly, right, unparsed, wrong
from verifiers.reading.choice import choice
from verifiers.reading.cleaning import own_question, said, without_quotations
from verifiers.reading.commitment import Marked, conditional, marks
from verifiers.reading.json_answer import MISSING, field_of, json_values, unfenced
from verifiers.reading.options import NONE, Choice, bare
from verifiers.reading.whole_answer import BESIDE, UNDECIDED, alone, is_bare, taken_back
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
        "correctoption",
        "correctchoice",
        "selectedoption",
        "selectedanswer",
        "chosenoption",
        "chosenanswer",
        "bestanswer",
        "bestoption",
        "bestchoice",
        "finalchoice",
        "answerletter",
        "optionletter",
        "myanswer",
        "youranswer",
        "response",
        "output",
        "答案",
        "最终答案",
        "正确答案",
        "选项",
        "选择",
        "正确选项",
        "最佳答案",
        "最终选择",
        "我的答案",
        "回答",
    ]
)
_CORRECT: Final = re.compile(
    r"(?:(?:only|option|choice|answer|选项|只有|仅)\s*)?(?<![A-Za-z0-9'’])[(（*]{0,3}([A-J]{1,10}(?:\s{0,2}(?:[、，,/&]|\band\b|和|及|与|以及)\s{0,2}(?:and\s|和)?\s?[A-J](?![A-Za-z])){0,9})[)）.*]{0,3}\s*(?:选项|项)?\s*(?:均|都|全)?\s*(?:is|are|stands\s+out\s+as|是|为|属于)?\s*(?:therefore\s+|thus\s+)?(?:the\s+|clearly\s+)?(?:only\s+|single\s+|most\s+)?(?:correct|right|best\s+(?:answer|choice|option)|best(?=\s*[.!]|\s*$)|(?:the\s+)?answer\b|likely\s+correct|appropriate|正确|符合题意|最佳|最符合)",
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
    found = committed(_COUNTED.sub(" ", said(answer, prompt)), options)
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
    whole = alone(text, options)
    if whole.letters:
        return whole
    denied: set[str] = set(whole.denied)
    why = whole.why
    candidates = sorted([*marks(quiet), *_predicates(quiet)], key=lambda one: -one.start)
    for number, one in enumerate(candidates):
        found = choice(one.words, options)
        denied |= found.denied
        if found.letters:
            later = taken_back(quiet[one.start :], options)
            if later is not None:
                return later
            if found.letters & denied:
                return Choice(why=f"{''.join(sorted(found.letters & denied))} is denied in the same answer")
            if UNDECIDED.search(quiet[one.start : one.start + 300]) or _hedged(quiet, one):
                return Choice(why="undecided")
            return found
        if found.why:
            # "A or C" after a mark is the last word of the text.
            return Choice(why=found.why) if number == 0 or one.kind != "mark" else found
    last = text.strip().splitlines()[-1] if text.strip() else ""
    if last != text.strip() and len(last) <= 200:
        found = choice(without_quotations(last), options, short=False)
        if found.letters and not (found.letters & denied) and is_bare(last, options):
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
    return bool(BESIDE.search(behind))


_COUNTED: Final = re.compile(r"[\u2460-\u2473\u24f5-\u24fe\u2776-\u2793]\s?(?=[A-J](?![A-Za-z]))")  # ①A ②C


def _texts_beside(holder: Any, chosen: Any) -> frozenset[str]:
    """Texts, squeezed, in the fields that stand beside a letter in a JSON object and say what it stands for."""
    if not isinstance(holder, dict) or isinstance(chosen, dict | list):
        return frozenset()
    names = {"text", "optiontext", "answertext", "content", "name", "label", "description", "内容", "选项内容"}
    return frozenset(
        bare(told)
        for key, told in holder.items()
        if isinstance(told, str) and re.sub(r"[\W_]+", "", key.casefold()) in names
    )


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
    beside = _texts_beside(values[-1], last)
    if isinstance(last, dict):
        beside = _texts_beside(last, None)
        last = field_of(last, ANSWER_FIELDS | {"letter", "value", "text", "label"})
    if isinstance(last, list):
        chosen = [choice(str(one), options) for one in last]
        if not chosen or any(len(one.letters) != 1 for one in chosen):
            return Choice(why="a list that holds something else than options")
        return Choice(frozenset().union(*(one.letters for one in chosen)))
    if not isinstance(last, str) or not last.strip():
        return Choice(why="no letter in the field of the answer")
    found = choice(last, options)
    if len(found.letters) == 1:
        others = [letter for letter, own in options.items() if bare(own) in beside and bare(own)]
        if others and not found.letters & set(others):
            return Choice(why=f"{''.join(found.letters)} beside the text of {others[0]}")
    return found if found.letters else Choice(why=found.why or "no option in the field of the answer")
