"""Several questions about one case: for each of them the exact set of letters, read as a single question's is.

An answer tells which question a letter belongs to by a number, in JSON or in text; what is numbered in no such way
belongs to none, and a question that is answered nowhere is not guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import field_validator

from schemas.verdict import Verdict, partly, right, unparsed, wrong
from verifiers.exam import ANSWER_FIELDS, committed
from verifiers.reading.cleaning import said
from verifiers.reading.json_answer import MISSING, field_of, json_values
from verifiers.verifier import ReferenceModel, verifier

# "1. A", "(2) B", "Question 3: C", "第4题：D", "5、E", full-width digits and signs among them.
_NUMBER: Final = (
    r"(?:\b(?:questions?|q|item|no\.?)\s*|第)?[(（]?(?<![0-9.])([0-9]{1,2})(?![0-9]|\.[0-9])[)）]?\s*(?:小?题|问)?"
)
_LETTERS: Final = r"(?-i:[(（*]{0,3}([A-J](?:\s{0,2}[、,，/&+]?\s{0,2}[A-J]){0,9})[)）*]{0,3}(?![A-Za-z'’]))"
# A number begins an answer before a sign, at a line's end, in a cell of its own, or before letters alone.
_BEGINS: Final = re.compile(
    rf"(?:^|\n)[\s*#>|-]*{_NUMBER}\**(?:\s*[.．:：、)）\-–—=]+|\s*(?=\n)|\s*\||\s+(?={_LETTERS}\s*(?:\n|$)))",
    re.IGNORECASE,
)
_INLINE: Final = re.compile(
    rf"{_NUMBER}\s*[.．:：、)）\-–—=]*\s*(?:答案)?(?:选|为|是)?\s*{_LETTERS}(?=\s*(?:$|[,;，；、。.|]|[(（]?\d|第|问|q\d|and\b|和))",
    re.IGNORECASE,
)
_ALONE: Final = re.compile(rf"\s*{_LETTERS}[.。]?\s*")
_OTHER: Final = re.compile(r"(?<![A-Za-z])[A-J](?![A-Za-z'’])")  # a letter that may take the first line back
CIRCLED: Final = {0x2460 + at: f"{at + 1} " for at in range(20)}  # ① to ⑳
_NUMBERED_FIELD: Final = re.compile(r"^\D{0,12}([0-9]{1,2})$")


class SeriesReference(ReferenceModel):
    """The key of each question by its number; `options` by number and letter; `partial`: whether some right ones count."""

    keys: dict[str, str]
    options: dict[str, dict[str, str]] = {}
    partial: bool = False

    @field_validator("keys")
    @classmethod
    def _two_at_least(cls, keys: dict[str, str]) -> dict[str, str]:
        told = {str(int(number)): re.sub(r"[^A-J]", "", key.upper()) for number, key in keys.items()}
        if len(told) < 2 or not all(told.values()):
            raise ValueError("a series has a key of one letter at least for each of two questions or more")
        return told


@verifier("exam_series", reference=SeriesReference)
def exam_series(prompt: str, answer: str, reference: SeriesReference) -> Verdict:
    """All questions right; where `partial` says so, the share of right ones counts."""
    told = _answers(said(answer, prompt), reference)
    shown = " ".join(f"{number}:{told[number]}" for number in reference.keys if number in told) or None
    if not told:
        return unparsed("no question is answered by its number")
    hits = [number for number, key in reference.keys.items() if set(told.get(number, "")) == set(key)]
    missing = [number for number in reference.keys if number not in told]
    if len(hits) == len(reference.keys):
        return right(shown, "every question's key")
    why = f"{len(hits)} of {len(reference.keys)} right" + (f", no answer to {', '.join(missing)}" if missing else "")
    if reference.partial and hits:
        return partly(len(hits) / len(reference.keys), shown, why)
    return unparsed(why) if missing and len(hits) + len(missing) == len(reference.keys) else wrong(shown, why)


def _answers(text: str, reference: SeriesReference) -> dict[str, str]:
    """Letters by question, sorted; questions that the text commits itself to nothing about are left out."""
    text = text.translate(CIRCLED)
    in_json = _in_json(text, list(reference.keys))
    if in_json:
        return in_json
    told = _by_paragraph(text, reference)
    return {**_inline(text, reference), **told} if len(told) < len(reference.keys) else told


def _in_json(text: str, numbers: list[str]) -> dict[str, str]:
    for value in reversed(json_values(text)):
        inner = field_of(value, ANSWER_FIELDS)
        for one in (inner, value):
            found = _of_value(one, numbers)
            if found:
                return found
    return {}


def _of_value(value: Any, numbers: list[str]) -> dict[str, str]:
    """Letters by number out of an object, a list in the questions' order, or a list of objects."""
    if value is MISSING:
        return {}
    if isinstance(value, Mapping):
        fields = {match[1].lstrip("0"): one for key, one in value.items() if (match := _NUMBERED_FIELD.match(str(key)))}
        return _lettered({number: fields[number] for number in numbers if number in fields})
    if not isinstance(value, list):
        return {}
    if all(isinstance(one, Mapping) for one in value):
        named = {}
        for one in value:
            number = next((str(one[key]) for key in ("question", "number", "id", "题号") if key in one), None)
            told = field_of(one, ANSWER_FIELDS)
            if number in numbers and told is not MISSING:
                named[number] = told
        return _lettered(named)
    return _lettered(dict(zip(numbers, value, strict=True))) if len(value) == len(numbers) else {}


def _lettered(values: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for number, value in values.items():
        told = "".join(map(str, value)) if isinstance(value, list) else str(value)
        match = re.match(rf"\s*{_LETTERS}", told.upper())
        if match:
            found[number] = _sorted(match[1])
    return found


def _by_paragraph(text: str, reference: SeriesReference) -> dict[str, str]:
    """Each numbered paragraph read as an answer of its own; of several of one number the last that commits itself."""
    starts = list(_BEGINS.finditer(text))
    told: dict[str, str] = {}
    for number, one in enumerate(starts):
        name = str(int(one[1]))
        if name not in reference.keys:
            continue
        end = starts[number + 1].start() if number + 1 < len(starts) else len(text)
        options = {letter.upper(): words for letter, words in reference.options.get(name, {}).items()}
        words = text[one.end() : end].strip(" \n|")
        found = committed(words, options)
        first, _, rest = words.partition("\n")
        if not found.letters and _ALONE.fullmatch(first) and not _OTHER.search(rest):
            found = committed(first, options)
        if found.letters:
            told[name] = "".join(sorted(found.letters))
    return told


def _inline(text: str, reference: SeriesReference) -> dict[str, str]:
    """Numbers and letters in one line, "1. A 2. C 3. BD": the last one that names two of the questions at least."""
    for line in reversed(text.splitlines()):
        found = {str(int(one[1])): _sorted(one[2]) for one in _INLINE.finditer(line[:2000])}
        told = {number: letters for number, letters in found.items() if number in reference.keys}
        if len(told) >= 2:
            return told
    return {}


def _sorted(letters: str) -> str:
    return "".join(sorted(set(re.sub(r"[^A-J]", "", letters.upper()))))
