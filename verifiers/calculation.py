"""Medical calculations: a number with its unit, a whole number, a date, or weeks and days.

The rules are those of MedCalc-Bench (Khandekar et al. 2024): decimals within 5% of the reference, whole
numbers, dates and weeks exactly. Units are converted by pint; nothing of an answer is ever evaluated.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final, Literal

from pydantic import model_validator

from schemas.verdict import Verdict, right, unparsed, wrong
from verifiers.reading.cleaning import said, without_quotations
from verifiers.reading.commitment import marks
from verifiers.reading.dates import dates_in
from verifiers.reading.json_answer import MISSING, field_of, json_values
from verifiers.reading.numbers import Number, ideographs, numbers_in
from verifiers.reading.units import converted
from verifiers.verifier import ReferenceModel, verifier

TOLERANCE: Final = 0.05  # of decimals (MedCalc-Bench, section 3)
ANSWER_FIELDS: Final = frozenset(["answer", "finalanswer", "result", "value", "score", "final", "答案", "结果", "date"])
_TELLS: Final = re.compile(
    r"=|≈|→|\b(?:is|are|was|equals|be|about|approximately|result|total)\b\s*:?|[:：]|等于|约为|大约|是|为|约|得分|共|总分",
    re.IGNORECASE,
)
_WEEKS: Final = (
    re.compile(
        r"(\d{1,3})\s*(?:weeks?|wks?|w|周|星期)\s*(?:,|and|&|\+|零|又|加|\s)*\s*(\d{1,2})\s*(?:days?|d|天|日)(?![a-z])",
        re.IGNORECASE,
    ),
    re.compile(r"(\d{1,3})\s*(?:weeks?|wks?|w|周)\s*\+\s*(\d)(?![\d.])", re.IGNORECASE),
    re.compile(r"(\d{1,3})\s*(?:\+|又)\s*(\d)(?:\s*/\s*7)?(?![\d.])\s*(?:weeks?|周)?", re.IGNORECASE),
    re.compile(r"(\d{1,3})\s+(\d)\s*/\s*7\s*(?:weeks?|wks?|周)?", re.IGNORECASE),
    re.compile(r"(?:weeks?|周)\D{1,3}(\d{1,3})\D{1,12}(?:days?|天)\D{1,3}(\d{1,2})", re.IGNORECASE),
    re.compile(
        r"[(\[]\s*['\"]?(\d{1,3})(?:\s*weeks?)?['\"]?\s*,\s*['\"]?(\d{1,2})(?:\s*days?)?['\"]?\s*[)\]]", re.IGNORECASE
    ),
)
_DAYS_ALONE: Final = re.compile(r"(?<![\d.])(\d{1,4})\s*(?:days?|天|日)(?![a-z])", re.IGNORECASE)
_WEEKS_ALONE: Final = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d+)?)\s*(?:weeks?|wks?|周)(?![a-z])", re.IGNORECASE)

_IDEOGRAPHS: Final = re.compile(r"[零一二两三四五六七八九十]{1,3}(?=\s*(?:周|天|日))")


class CalculationReference(ReferenceModel):
    """A value and its unit; a date is ISO, weeks and days are `[17, 4]`."""

    value: float | int | str | tuple[int, int]
    unit: str = ""
    kind: Literal["decimal", "integer", "date", "weeks_days"] = "decimal"

    @model_validator(mode="after")
    def _fits(self) -> CalculationReference:
        good = {
            "decimal": isinstance(self.value, int | float) and not isinstance(self.value, bool),
            "integer": isinstance(self.value, int | float) and float(self.value).is_integer(),
            "date": isinstance(self.value, str) and len(dates_in(self.value)) == 1,
            "weeks_days": isinstance(self.value, tuple),
        }
        if not good[self.kind]:
            raise ValueError(f"{self.value!r} is no {self.kind}")
        return self


# Of ions with one charge a milliequivalent is a millimole.
_OTHER_VALENCES: Final = re.compile(
    r"calcium|magnesium|phosph|sul[fp]hate|\bCa2?\+|\bMg2?\+|钙|镁|磷|硫酸", re.IGNORECASE
)
_EQUIVALENTS: Final = re.compile(r"meq|毫当量", re.IGNORECASE)
_BOUND: Final = re.compile(
    r"(?:\b(?:at\s+(?:least|most)|(?:less|more|greater|fewer|higher|lower)\s+than|up\s+to)\s*|[≥≤]\s*|(?:^|\s)[<>]=?\s*|(?:至少|至多|大于|小于|多于|少于|超过|低于|高于|不超过|不低于)\s*)$",
    re.IGNORECASE,
)
# What is normal is no result.
_NORMAL: Final = re.compile(
    r"[(（][^()（）\n]{0,60}(?:normal|reference|range|正常|参考)[^()（）\n]{0,60}[)）]", re.IGNORECASE
)


@verifier("calculation", reference=CalculationReference)
def calculation(prompt: str, answer: str, reference: CalculationReference) -> Verdict:
    """Decimals within 5%, whole numbers, dates and weeks with days exactly; units are converted."""
    text = said(answer, prompt)
    if reference.kind == "weeks_days":
        text = _IDEOGRAPHS.sub(lambda found: str(ideographs(found[0])), text)
    if not text:
        return unparsed("nothing is said")
    if reference.kind == "date":
        return _date(text, str(reference.value))
    if reference.kind == "weeks_days":
        assert isinstance(reference.value, tuple)
        return _weeks_days(text, reference.value)
    assert isinstance(reference.value, int | float)
    return _number(text, reference, not _OTHER_VALENCES.search(f"{prompt[-4000:]} {text[:4000]}"))


def _pieces(text: str) -> list[str]:
    """Where the result may stand, the likeliest first: a JSON field, what marks name (the last first), the whole."""
    told = []
    values = [found for found in (field_of(one, ANSWER_FIELDS) for one in json_values(text)) if found is not MISSING]
    if values:
        told.append(_written(values[-1]))
    quiet = without_quotations(text)
    for one in marks(quiet):
        told.append(re.split(r"\n\s*\n", one.words, maxsplit=1)[0][:200])
    return told


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(str(one) for one in value.values())
    return str(value) if not isinstance(value, bool) and value is not None else ""


def _looked_at(text: str, reference: CalculationReference) -> list[Number]:
    """Numbers that may be the result: a risk in percent beside a whole number of points is none."""
    found = numbers_in(text)
    return [one for one in found if one.unit != "%"] if reference.kind == "integer" else found


def _number(text: str, reference: CalculationReference, univalent: bool) -> Verdict:
    for piece in _pieces(text):
        found = _looked_at(piece, reference)
        if found:
            return _held(found[0], reference, piece, univalent)
    sentences = [one for one in re.split(r"(?<=[.。!;；])\s+|\n", text) if one.strip()]
    for sentence in reversed(sentences[-20:]):
        for mark in reversed(list(_TELLS.finditer(sentence))[-20:]):
            found = _looked_at(sentence[mark.end() :], reference)
            if found and sentence[mark.end() : mark.end() + found[0].start].strip(" ~≈*$\\(:") in (
                "",
                "about",
                "approximately",
                "约",
                "around",
            ):
                return _held(found[0], reference, sentence[mark.end() :], univalent)
    found = numbers_in(_NORMAL.sub(" ", text[:4000]))
    if not found:
        return unparsed("no number")
    if len(found) > 1 and any(one.value != found[0].value for one in found) and not found[0].of_something:
        alike = [
            one
            for one in found
            if reference.unit and one.unit and converted(one.value, one.unit, reference.unit) is not None
        ]
        if len({one.value for one in alike}) != 1:
            return unparsed("several numbers, and none marked as the result")
        found = alike
    return _held(found[0], reference, text, univalent)


def _temperature(found: Number, wanted: str, piece: str) -> str:
    """F, C or K behind a number, where a temperature is asked for; "" elsewhere."""
    if not re.search(r"deg|°|℃|℉|摄氏|华氏|celsius|fahrenheit", wanted, re.IGNORECASE):
        return ""
    letter = re.match(r"[-+\d.,\s]+°?\s?([CFK])(?![A-Za-z])", piece[found.start :])
    return {"C": "degC", "F": "degF", "K": "kelvin"}[letter[1]] if letter else ""


def _held(found: Number, reference: CalculationReference, piece: str, univalent: bool) -> Verdict:
    expected = float(reference.value)  # type: ignore[arg-type]
    if found.ranged:
        return unparsed("a range is no result")
    if re.search(r"(?:\bnot|n't|不是|并非)\s*$", piece[: found.start]):
        return unparsed("the number is denied")
    if _BOUND.search(piece[: found.start]):
        return unparsed("a bound is no result")
    if not math.isfinite(found.value):
        return wrong(str(found.value), "beyond any number")
    value = converted(found.value, _temperature(found, reference.unit, piece) or found.unit, reference.unit)
    if value is None and univalent:
        value = converted(found.value, _EQUIVALENTS.sub("mmol", found.unit), _EQUIVALENTS.sub("mmol", reference.unit))
    told = f"{found.value:g} {found.unit}".strip()
    if value is None:
        return wrong(told, f"{found.unit} is no unit of {reference.unit or 'a plain number'}")
    if reference.kind == "decimal" and found.of_something and found.over:
        value = value / found.over
    if reference.kind == "integer":
        if not float(value).is_integer():
            return wrong(told, f"{value:g} is no whole number")
        return right(told, "equal") if value == expected else wrong(told, f"{value:g} is not {expected:g}")
    if abs(value - expected) <= TOLERANCE * abs(expected) + 1e-12:
        return right(told, f"within {TOLERANCE:.0%} of {expected:g} {reference.unit}".strip())
    return wrong(told, f"{value:g} is not within {TOLERANCE:.0%} of {expected:g} {reference.unit}".strip())


def _date(text: str, expected: str) -> Verdict:
    wanted = dates_in(expected)[0]
    for piece in [*_pieces(text), text]:
        found = dates_in(piece)
        if not found:
            continue
        last = found[0] if piece is not text else found[-1]
        if re.search(r"(?:\bor\b|或|还是|/\s*$)", piece[last.end : last.end + 6]) and len(found) > 1:
            return unparsed("a choice between dates")
        told = last.day.isoformat()
        return right(told, "the same day") if last.day == wanted.day else wrong(told, f"not {expected}")
    return unparsed("no date with its day")


def _weeks_days(text: str, expected: tuple[int, int]) -> Verdict:
    wanted = expected[0] * 7 + expected[1]
    for piece in [*_pieces(text), text]:
        found = [
            (one.start(), int(one[1]) * 7 + int(one[2]), one[0], int(one[2]))
            for form in _WEEKS
            for one in form.finditer(piece)
        ]
        found = [one for one in found if one[3] < 7] or found
        if not found:
            alone = [(one.start(), int(one[1]), one[0], 0) for one in _DAYS_ALONE.finditer(piece)]
            part = [(one.start(), round(float(one[1]) * 7, 2), one[0], 0) for one in _WEEKS_ALONE.finditer(piece)]
            both = sorted(alone + part)  # type: ignore[operator]
            found = both[-1:] if both else []  # type: ignore[assignment]
        if not found:
            continue
        _, days, told, _ = sorted(found)[0] if piece is not text else sorted(found)[-1]
        return (
            right(told, "the same days")
            if abs(days - wanted) < 0.11
            else wrong(told, f"{days:g} days are not {wanted}")
        )
    return unparsed("no weeks and days")
