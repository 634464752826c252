"""Diagnoses: names and codes of an answer held against ICD-10 codes, with credit by hierarchy.

Excluded diagnoses never count; an answer of nothing but uncertain ones is at most partly right.
"""

from __future__ import annotations

import itertools
import re
from typing import Any, Final

from pydantic import model_validator

from schemas.verdict import Verdict, partly, right, unparsed, wrong
from verifiers.reading import diseases
from verifiers.reading.cleaning import own_question, said
from verifiers.reading.diseases import Mention, code_of, credit, read
from verifiers.reading.json_answer import MISSING, field_of, json_values, unfenced
from verifiers.tables import spelled
from verifiers.verifier import ReferenceModel, verifier

EDITION: Final = "ICD-10 (WHO 2019); ICD-10-CM for codes that only it has"
CHANGED: Final = 0.3  # at most, of a name beside a word that makes another disease of it
ANSWER_FIELDS: Final = frozenset(
    [
        "diagnosis",
        "diagnoses",
        "finaldiagnosis",
        "finaldiagnoses",
        "answer",
        "name",
        "primarydiagnosis",
        "诊断",
        "最终诊断",
        "答案",
        "code",
        "icd10",
        "icd",
    ]
)
_MARK: Final = re.compile(
    r"(?:\b(?:final|most\s+likely|primary|principal|working|definitive|correct|my)\s+(?:diagnos[ei]s)\b|(?<!differential\s)\bdiagnos[ei]s\b|\bfinal\s+answer\b|\banswer\b|\bimpression\b)\s*(?:\*\*)?\s*(?:would\s+be|should\s+be|is|are|was|[:：=-])\s*(?:therefore\s+|thus\s+|most\s+likely\s+)?(?:\*\*)?"
    r"|(?:最终|最后|主要|最可能的?|初步|明确|临床|出院|入院)*(?<!鉴别)诊断\s*(?:考虑)?(?:应该?是|应?为|是|[:：])\s*|(?:^|[。;；\n])答案?\s*[:：]\s*",
    re.IGNORECASE,
)
_REFUSAL: Final = re.compile(
    r"无法(?:做出)?诊断|不能诊断|无法判断|不知道|诊断不明|cannot\s+(?:be\s+)?diagnos|unable\s+to\s+diagnos|no\s+diagnosis|don't\s+know|unknown|not\s+(?:enough|sufficient)\s+information|insufficient|consult\s+a|请咨询|不清楚|undetermined|cannot\s+(?:determine|tell|say)",
    re.IGNORECASE,
)


class DiagnosisReference(ReferenceModel):
    """Codes and names in pairs."""

    codes: list[str] = []
    names: list[str] = []

    @model_validator(mode="after")
    def _pairs(self) -> DiagnosisReference:
        if not self.codes and not self.names:
            raise ValueError("a code or a name at least")
        if self.codes and self.names and len(self.codes) != len(self.names):
            raise ValueError("codes and names stand in pairs")
        return self

    def pairs(self) -> list[tuple[str, str]]:
        """(code, name) of each diagnosis; "" where one is not told and not known."""
        names = self.names or [""] * len(self.codes)
        codes = self.codes or [code_of(one) or "" for one in names]
        return [(code.strip().upper(), name) for code, name in zip(codes, names, strict=True)]


@verifier("diagnosis", reference=DiagnosisReference)
def diagnosis(prompt: str, answer: str, reference: DiagnosisReference) -> Verdict:
    """Precision and recall over diagnoses with credit by hierarchy: same code, same category, same block."""
    text = said(answer, prompt)
    if not text:
        return unparsed("nothing is said")
    words = _stated(text)
    found = _with_reference(read(words), words, reference)
    disagreeing = _code_beside_another_name(found, words)
    if disagreeing:
        return unparsed(disagreeing)
    counted = _once([one for one in found if one.said in ("certain", "uncertain")], words)
    certain = [one for one in counted if one.said == "certain"]
    told = {
        "certain": [one.name for one in certain],
        "uncertain": [one.name for one in counted if one.said == "uncertain"],
        "edition": EDITION,
    }
    if not counted:
        if found:
            return wrong(
                told | {"excluded": [one.name for one in found]}, "what it names it excludes, or is not the diagnosis"
            )
        return (
            unparsed("no diagnosis")
            if _REFUSAL.search(words) or not _names_something(words)
            else wrong(told, "names no diagnosis that is asked for")
        )
    return _scored(certain, counted, told, reference.pairs())


def _scored(
    certain: list[Mention], counted: list[Mention], told: dict[str, Any], wanted: list[tuple[str, str]]
) -> Verdict:
    credits = [max((_credit(one, code, name) for one in certain), default=0.0) for code, name in wanted]
    hits = [max((_credit(one, code, name) for code, name in wanted), default=0.0) for one in certain]
    recall = sum(credits) / len(wanted)
    precision = sum(hits) / len(hits) if hits else 0.0
    parts = {"recall": recall, "precision": precision}
    if certain and min(credits) == 1.0 and min(hits) == 1.0:
        return right(told, "the diagnoses asked for", parts=parts)
    if recall > 0:
        f1 = 2 * precision * recall / (precision + recall)
        return partly(f1, told, f"recall {recall:.2f}, precision {precision:.2f}", parts=parts)
    unsure = [one for one in counted if one.said == "uncertain"]
    if not certain and any(_credit(one, code, name) == 1.0 for one in unsure for code, name in wanted):
        return partly(0.5 / max(1, len(unsure)), told, "named as uncertain", parts=parts)
    return wrong(told, "not a diagnosis that is asked for", parts=parts)


def _credit(one: Mention, code: str, name: str) -> float:
    if one.changed:
        return min(CHANGED, credit(one.code, one.name, code, name) if code else 0.0)
    if name and spelled(one.name) == spelled(name):
        return 1.0
    return credit(one.code, one.name, code, name) if code else 0.0


def _once(found: list[Mention], words: str) -> list[Mention]:
    """One mention a code; a code and its name beside it are one, and certain outweighs uncertain."""
    kept: dict[str, Mention] = {}
    for one in found:
        before = kept.get(one.code)
        if before is None or (before.said == "uncertain" and one.said == "certain"):
            kept[one.code] = one
    told = list(kept.values())
    # "I21.9 Acute myocardial infarction, unspecified", "myocardial infarction (STEMI)": the second says the first again.
    return [
        one
        for number, one in enumerate(told)
        if not (
            number
            and told[number - 1].code[:3] == one.code[:3]
            and (
                re.fullmatch(r"[A-Z]\d\d.*", told[number - 1].name)
                or re.fullmatch(r"\s*[(（]\s*", words[told[number - 1].end : one.start])
            )
        )
    ]


def _code_beside_another_name(found: list[Mention], words: str) -> str:
    for one, other in itertools.pairwise(found):
        code, name = (one, other) if re.fullmatch(r"[A-Z]\d\d.*", one.name) else (other, one)
        if not re.fullmatch(r"[A-Z]\d\d.*", code.name) or re.fullmatch(r"[A-Z]\d\d.*", name.name):
            continue
        beside = re.fullmatch(r"[\s:：(（)）\-–—]*", words[one.end : other.start])
        if beside and code.code[:3] != name.code[:3] and credit(code.code, "", name.code, name.name) == 0.0:
            return f"{code.name} beside {name.name}"
    return ""


def _with_reference(found: list[Mention], words: str, reference: DiagnosisReference) -> list[Mention]:
    """The reference's own names are known too, whatever the tables hold."""
    missing = [(code, name) for code, name in reference.pairs() if name and code_of(name) is None]
    if not missing:
        return found
    known = diseases.lexicon()
    for code, name in missing:
        known.setdefault(spelled(name), code or name)
    diseases.first_words.cache_clear()
    try:
        return read(words)
    finally:
        for _, name in missing:
            known.pop(spelled(name), None)
        diseases.first_words.cache_clear()


def _stated(text: str) -> str:
    """The words that state the diagnosis: a JSON field, what the last mark names, or the whole."""
    values = json_values(unfenced(text))
    told = [found for found in (field_of(one, ANSWER_FIELDS) for one in values) if found is not MISSING and found]
    if told:
        return "; ".join(_strings(told[-1]))
    if values and isinstance(values[-1], list):
        return "; ".join(_strings(values[-1]))
    text = own_question(text)[0]
    for found in reversed(list(_MARK.finditer(text))[-50:]):
        before = text[max(0, found.start() - 60) : found.start()]
        if re.search(r"\bif\b[^.]*$|如果[^。]*$|\bdifferential\s*$|鉴别\s*$", before, re.IGNORECASE):
            continue
        rest = text[found.end() : found.end() + 600]
        stretch = re.split(
            r"\n\s*\n|(?<=[.。])\s*(?=\S)|\n(?=\s*(?:explanation|reason|rationale|because|解析|依据|鉴别|differential|plan|treatment|治疗))",
            rest.lstrip("\n "),
            maxsplit=1,
            flags=re.IGNORECASE,
        )[0]
        if re.search(r"\w", stretch):
            following = rest[len(stretch) :] if re.match(r"\s*(?:\d[.)、]|-|\*)", rest) else ""
            return stretch + following
    return text


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        named = [value[key] for key in ("name", "diagnosis", "名称", "诊断", "code") if key in value] or list(
            value.values()
        )
        return [" ".join(_strings(named))]
    if isinstance(value, list):
        return [one for each in value for one in _strings(each)]
    return [str(value)] if isinstance(value, str | int | float) else []


def _names_something(words: str) -> bool:
    """Whether there are words that could be a diagnosis of another make: letters, and not only a number."""
    return bool(re.search(r"[A-Za-z]{4,}|[\u3400-\u9fff]{2,}", words))
