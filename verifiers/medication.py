"""Prescriptions: drugs, doses, routes and frequencies, and what must not be given."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from schemas.verdict import Verdict, partly, right, unparsed, wrong
from verifiers.reading.cleaning import said
from verifiers.reading.drugs import amounts, drugs_in, frequency, generic, route, same_amount, same_frequency
from verifiers.reading.json_answer import json_values, unfenced
from verifiers.verifier import ReferenceModel, verifier

CONTRAINDICATED: Final = "contraindicated"
ATTRIBUTE_SHARE: Final = 0.5  # of a drug's score, where its dose is right and its route or frequency is not
_LISTS: Final = frozenset(
    {
        "drugs",
        "medications",
        "medication",
        "prescriptions",
        "prescription",
        "drug",
        "处方",
        "药物",
        "用药",
        "药品",
        "answer",
        "treatment",
    }
)
_NAMES: Final = (
    "name",
    "drug",
    "medication",
    "generic",
    "drug_name",
    "药名",
    "药品",
    "名称",
    "药物",
    "通用名",
    "brand",
)
_NOT: Final = re.compile(r"(?:\b(?:not|never|cannot)|n't|不|勿|别)\s*$", re.IGNORECASE)
_AVOIDED: Final = re.compile(
    r"avoid|contra|not|stop|allerg|discontinu|withhold|exclud|避免|禁|停|过敏|不", re.IGNORECASE
)
_DENIES: Final = re.compile(
    r"(?:\b(?:no|not|never|avoid\w*|without|stop\w*|discontinu\w*|withh\w+|hold|instead\s+of|rather\s+than|contraindicat\w*|allerg\w+\s+to|don't|do\s+not|cannot|refrain\s+from|neither|nor|except|refuse\w*|unlike|warn\w*\s+against)\b|n't\b|避免|禁用|禁止|禁忌|忌用?|不(?:要|宜|应|可|能|用|给|使用|推荐|建议)|停用|停|勿|过敏|而非|慎用)[^.。;；\n]{0,60}$",
    re.IGNORECASE,
)
_DENIED_BEHIND: Final = re.compile(
    r"^[^.。;；\n,，]{0,15}?(?:\b(?:is|are)\s+(?:contraindicated|to\s+be\s+avoided|not)|should\s+(?:not|be\s+(?:avoided|stopped))|must\s+not|禁用|禁忌|避免|过敏|不宜|停用|allergy)",
    re.IGNORECASE,
)
_NONE: Final = re.compile(
    r"\bno\s+(?:drug|medication|medicine|pharmacolog\w+|prescription|antibiotic)s?\b|无需(?:用药|药物)|不需要(?:用药|药物)|不用药",
    re.IGNORECASE,
)


class Drug(ReferenceModel):
    """A drug of the reference; what is absent is not compared."""

    name: str
    dose: str | None = None
    route: str | None = None
    frequency: str | None = None


class MedicationReference(ReferenceModel):
    """Drugs asked for, and those that make an answer wrong."""

    drugs: list[Drug] = []
    contraindicated: list[str] = []


@dataclass(frozen=True)
class Given:
    """A drug that an answer prescribes, its attributes in its own words."""

    name: str
    dose: str = ""
    route: str = ""
    frequency: str = ""


@verifier("medication", reference=MedicationReference)
def medication(prompt: str, answer: str, reference: MedicationReference) -> Verdict:
    """Each drug by name, dose, route and frequency; a contraindicated one makes the answer wrong and sets a veto."""
    text = said(answer, prompt)
    if not text:
        return unparsed("nothing is said")
    known = (*(one.name for one in reference.drugs), *reference.contraindicated)
    given = prescribed(text, known)
    if given is None:
        return unparsed("no prescription")
    told = [{name: value for name, value in vars(one).items() if value} for one in given]
    banned = {generic(one) for one in reference.contraindicated}
    vetoed = [one.name for one in given if generic(one.name) in banned or set(generic(one.name).split("+")) & banned]
    if vetoed:
        return wrong(told, f"prescribes {', '.join(vetoed)}", flags=(CONTRAINDICATED,))
    if not reference.drugs:
        return wrong(told, "no drug is to be given") if given else right(told, "no drug, as it should be")
    if not given:
        return wrong(told, "prescribes nothing")
    return _scored(given, told, reference.drugs)


def _scored(given: list[Given], told: list[dict[str, str]], wanted: list[Drug]) -> Verdict:
    left, scores, why = list(given), [], []
    for drug in wanted:
        mine = [one for one in left if generic(one.name) == generic(drug.name)]
        best = max(mine, key=lambda one: _agreement(one, drug)[0], default=None)
        if best is None:
            scores.append(0.0)
            why.append(f"{drug.name} is missing")
            continue
        left.remove(best)
        score, fault = _agreement(best, drug)
        scores.append(score)
        why += [f"{drug.name}: {fault}"] if fault else []
    why += [f"{one.name} was not asked for" for one in left]
    recall, precision = sum(scores) / len(wanted), sum(scores) / (len(wanted) + len(left))
    parts = {"recall": recall, "precision": precision}
    if min(scores) == 1.0 and not left:
        return right(told, "every drug as asked for", parts=parts)
    if recall == 0:
        return wrong(told, "; ".join(why), parts=parts)
    return partly(precision, told, "; ".join(why), parts=parts)


def _agreement(one: Given, drug: Drug) -> tuple[float, str]:
    """How far a drug agrees, in [0, 1], and what does not."""
    faults = []
    if drug.dose:
        mine, theirs = amounts(one.dose), amounts(drug.dose)
        if mine and theirs and not same_amount(mine[0], theirs[0]):
            return 0.0, f"{one.dose} is not {drug.dose}"
        if theirs and not mine:
            faults.append("no dose" if not one.dose else f"{one.dose} is no dose")
            if one.dose and re.search(r"\d", one.dose):
                return 0.0, f"{one.dose} is not {drug.dose}"
    if drug.route:
        mine_route, wanted_route = route(one.route), route(drug.route)
        if wanted_route is not None and mine_route != wanted_route:
            faults.append(f"{one.route or 'no route'} is not {drug.route}")
    if drug.frequency:
        often, wanted_often = frequency(one.frequency), frequency(drug.frequency)
        if wanted_often is not None and (often is None or not same_frequency(often, wanted_often)):
            faults.append(f"{one.frequency or 'no frequency'} is not {drug.frequency}")
    return ATTRIBUTE_SHARE if faults else 1.0, "; ".join(faults)


def prescribed(text: str, known: tuple[str, ...] = ()) -> list[Given] | None:
    """What an answer prescribes, by its last JSON or by its words; None where it prescribes nothing at all."""
    bare = unfenced(text)
    values = json_values(bare)
    for value in reversed(values):
        told = _of_json(value)
        if told is not None:
            return told
    if re.match(r"\s*[\[{]", bare) and re.search(r"[\[{]\s*[\"'{]", bare):
        return None  # JSON that was asked for, and cannot be read
    return _of_words(text, known)


def _of_json(value: Any) -> list[Given] | None:
    if isinstance(value, dict):
        for key, told in value.items():
            if key.strip().casefold() in _LISTS and isinstance(told, list):
                return _of_json(told)
        one = _given(value)
        if one is not None:
            return [one]
        nested = [
            _of_json(told) for key, told in value.items() if isinstance(told, dict | list) and not _AVOIDED.search(key)
        ]
        return next((told for told in nested if told is not None), None)
    told = [
        _given(one) if isinstance(one, dict) else _of_phrase(one) if isinstance(one, str) else None for one in value
    ]
    if any(one is None for one in told):
        return None
    return [one for one in told if one is not None and not _is_denied(one.name)]


def _is_denied(name: str) -> bool:
    return bool(re.match(r"\s*(?:no|avoid|not|do\s+not|避免|禁用|停用)\b", name, re.IGNORECASE))


def _given(value: dict[str, Any]) -> Given | None:
    low = {str(key).strip().casefold(): told for key, told in value.items()}
    name = next((low[key] for key in _NAMES if isinstance(low.get(key), str)), None)
    if not name or not name.strip():
        return None
    dose = _words(low, "dose", "dosage", "剂量", "用量", "strength", "amount")
    unit = _words(low, "unit", "units", "单位")
    if dose and unit and re.fullmatch(r"[\d.,\s]+", dose):
        dose = f"{dose} {unit}"
    one = Given(
        name,
        dose,
        _words(low, "route", "途径", "给药途径", "用法", "administration"),
        _words(low, "frequency", "freq", "频次", "频率", "schedule", "interval", "用法"),
    )
    found = amounts(name)
    if found:
        inside = _of_phrase(name)
        if inside is not None:
            one = replace(one, name=inside.name, dose=one.dose or inside.dose)
    if one.dose:
        one = replace(one, route=one.route or one.dose, frequency=one.frequency or one.dose)
    return one


def _words(value: dict[str, Any], *names: str) -> str:
    return next((str(value[name]) for name in names if value.get(name) not in (None, "")), "")


def _of_phrase(text: str) -> Given | None:
    """One drug of a phrase: its name is what stands before its dose, or what a table knows."""
    if not text.strip():
        return None
    found = drugs_in(text)
    if found:
        _start, end, _ = found[0]
        return Given(_joined_name(text, found), text[end:] if amounts(text[end:]) else text, text, text)
    name = re.split(r"\d", text, maxsplit=1)[0].strip(" ,:：-")
    return Given(name or text, text, text, text)


def _joined_name(text: str, found: list[tuple[int, int, str]]) -> str:
    """The name of the first drug, with what is joined to it by / or - as one combination."""
    start, end, _ = found[0]
    for low, high, _ in found[1:]:
        if re.fullmatch(r"\s*(?:/|-|\+)\s*", text[end:low]):
            end = high
        else:
            break
    return text[start:end]


def _of_words(text: str, known: tuple[str, ...]) -> list[Given] | None:
    found = drugs_in(text, known)
    told: list[Given] = []
    skip = -1
    for number, (start, end, _) in enumerate(found):
        if start < skip:
            continue
        name = _joined_name(text, found[number:])
        end = start + len(name)
        skip = end
        before = text[max(0, start - 120) : start]
        cut = [
            one.end()
            for one in re.finditer(
                r"[.!]\s|[。！;；\n]|\b(?:but|instead|give|start|prescribe)\b(?!\s+of)|，(?:改用|给予)|改用|给予",
                before,
                re.IGNORECASE,
            )
            if not _NOT.search(before[: one.start()])  # "do not give" is no beginning of what is given
        ]
        if _DENIES.search(before[cut[-1] :] if cut else before) or _DENIED_BEHIND.match(text[end : end + 60]):
            continue
        until = next((low for low, _, _ in found if low >= end), len(text))
        stretch = re.split(r"[。;；\n]|(?<!\.[a-z])(?<!\s[a-z])\.\s", text[end : min(until, end + 200)], maxsplit=1)[0]
        told.append(Given(name, stretch, stretch, stretch))
    kept = {generic(one.name): one for one in reversed(told)}
    if kept:
        return list(dict.fromkeys(kept[generic(one.name)] for one in told))
    if _NONE.search(text):
        return []
    return None
